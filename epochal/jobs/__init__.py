"""The three jobs of a run: pull, train and retrain."""
