"""The bench of the alert engine, beside a plain loop and others."""
