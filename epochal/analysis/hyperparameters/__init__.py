"""The hyperparameters in the pushed code: where they are set, and how a trial changes them, without running the code."""
