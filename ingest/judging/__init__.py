"""What a message says, whose it is, and whether it can be taken: cores that touch nothing."""
