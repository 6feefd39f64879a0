"""Rehearsal: what a changed profile would have paged of what is stored."""
