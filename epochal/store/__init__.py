"""The database: the only reader and writer of it. The runs' own table is the queue."""
