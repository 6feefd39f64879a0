"""Every threshold, duration and timer, as data: clinical profiles, and how they are read."""
