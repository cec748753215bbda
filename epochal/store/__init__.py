"""Read and write the database, which no other package does. The table of runs is also the work queue."""
