"""Read and write the database, which no other package accesses. The table of runs is also the work queue."""
