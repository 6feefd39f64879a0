"""Who a patient is to the system: registry, devices and bindings, teams and the duty roster."""
