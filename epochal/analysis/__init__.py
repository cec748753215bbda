"""Analysis of the pushed code without running it."""
