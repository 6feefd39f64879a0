"""The sustained rules for all patients of a partition at once: what `vitals.sustained` says, said fast."""
