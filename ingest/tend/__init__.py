"""Work that time brings: roll-ups, retention, packing; the process `hearthwatch ingest tend`."""
