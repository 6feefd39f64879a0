"""The demo: simulated devices in six homes, the whole product on real parts, up to a doctor's decision."""
