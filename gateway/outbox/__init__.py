"""Accepted means on the disk: the bounded store, and what it gives up first."""
