"""The two chains, embedded and Jenkins. A chain runs the pull, train and retrain jobs of each run, in that order."""
