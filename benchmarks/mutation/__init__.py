"""Random mutants of source files, for benchmarks/mutants.py."""
