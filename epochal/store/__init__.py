"""Read and write the database, which no other package does. Its table of runs is the queue."""
