"""The machine itself: clocks, files, and the word that keeps the watchdog away."""
