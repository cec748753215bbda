"""What people and programs look at: a run, its history, and where its time went."""
