"""What runs on the Pi: reads devices over GATT, keeps readings on disk, sends them until they are stored."""
