"""Rehearses escalation on a virtual clock: the real tick and the real acts, over a real database made for it."""
