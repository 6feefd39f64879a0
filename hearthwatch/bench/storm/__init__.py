"""Alarms of ten thousand patients at once, and of one at a time: how soon they are durable, and how soon told."""
