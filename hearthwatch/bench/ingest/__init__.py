"""The benches of ingest: rate, chaos, malformed messages, a county's day, roll-ups."""
