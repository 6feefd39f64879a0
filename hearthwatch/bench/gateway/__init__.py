"""The benches of the gateway: whole, its outbox, kills and faults."""
