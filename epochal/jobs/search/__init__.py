"""Hyperparameter search: the search space, the Optuna study, and the workers that run the trials."""
