"""Read and write the database; no other package does this. The table of runs is also the queue of work."""
