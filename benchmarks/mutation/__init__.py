"""The mutants that benchmarks/mutants.py draws."""
