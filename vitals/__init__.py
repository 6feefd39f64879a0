"""The words everyone shares: signals and units, samples and quality, the wire format, topics, time."""
