"""Devices as real GATT servers on a virtual radio: an independent oracle that imports nothing of ours."""
