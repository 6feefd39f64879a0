"""The bench of the rules on simulated nights."""
