"""Self-check of an installation: each check is a small function that returns one finding with the way out."""
