"""Coverage-guided fuzzing: what a device may send is any bytes at all."""
