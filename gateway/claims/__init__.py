"""Which devices this gateway reads, as the centre or the technician claimed them."""
