"""Searching hyperparameters: what may change, what is tried next, and who trains it."""
