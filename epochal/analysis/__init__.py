"""Analyse the pushed code without running it."""
