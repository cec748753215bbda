"""Find where the pushed code sets its hyperparameters, and change them for a trial, without running the code."""
