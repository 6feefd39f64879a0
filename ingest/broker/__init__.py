"""From the broker's queue to a commit and back to the gateway: the process `hearthwatch ingest run`."""
