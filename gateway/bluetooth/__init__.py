"""The radio: adapters, bluetoothd and its bus, links, and who gets one."""
