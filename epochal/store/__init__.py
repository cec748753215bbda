"""Read and write the database. No other package accesses Epochal's tables; the table of runs is also the work queue."""
