"""Times: of this boot, of the wall, and of the devices."""
