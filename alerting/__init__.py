"""Rules, engine, episodes, escalation and notices: from a stored reading to a human decision."""
