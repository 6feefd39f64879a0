"""What a technician asks of a box before leaving it."""
