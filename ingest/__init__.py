"""From an MQTT message to committed rows: intake, screening, storing, the intake log."""
