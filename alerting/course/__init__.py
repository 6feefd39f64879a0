"""What the rules make of a patient's samples over time, by the cores the service uses; for replay and rehearsal."""
