"""The three jobs: pull, train, retrain."""
