"""Everything between the outbox and the broker."""
