"""One transaction: samples, accounts, the newest words, the log; and what it means when the database refuses."""
