"""What runs the three jobs one after the other."""
