"""The box's key, its certificate and the site it belongs to."""
