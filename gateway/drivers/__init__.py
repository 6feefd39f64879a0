"""Drivers of devices that speak a maker's own protocol: one file a make, each exporting DRIVER."""
