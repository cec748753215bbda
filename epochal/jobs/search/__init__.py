"""Hyperparameter search: its space, its study in Optuna, and the workers that train its trials."""
