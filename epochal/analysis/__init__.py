"""What can be read from the pushed code without running it."""
