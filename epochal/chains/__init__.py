"""The two chains, embedded and Jenkins: each runs the jobs pull, train and retrain of a run in order."""
