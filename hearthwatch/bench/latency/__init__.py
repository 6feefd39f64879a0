"""The bench of how soon an alarm is there."""
