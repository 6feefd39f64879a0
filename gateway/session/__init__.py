"""One session per claimed device, and who is nearby."""
