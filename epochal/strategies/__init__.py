"""How to retrain a run that stayed below its threshold."""
