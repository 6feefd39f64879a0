"""The local floor: heard at home even with the uplink down."""
