"""What benchmarks/mutants.py draws."""
