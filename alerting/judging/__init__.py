"""Following the intake log: what came is judged, what the rules say is recorded."""
