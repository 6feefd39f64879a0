"""The rules over a recording, without a database: what would have been said, and when."""
