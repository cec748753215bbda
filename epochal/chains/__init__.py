"""The two chains, embedded and Jenkins. A chain runs the jobs of each run: pull, train and, if needed, retrain."""
