"""From what a device said to rows for the outbox."""
