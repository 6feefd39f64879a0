"""Technical alarms: what of gateways, devices, clocks and the centre itself is wrong, judged by the clock."""
