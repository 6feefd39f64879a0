"""A site's own certificate authority: who may speak to its broker, and under which one name."""
