"""One file per command of `hearthwatch gateway`."""
