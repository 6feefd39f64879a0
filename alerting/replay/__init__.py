"""Replay: one recording in a file through the rules, without a database."""
