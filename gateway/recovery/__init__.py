"""The way out of Bluetooth's troubles, rung by rung."""
