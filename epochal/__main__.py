"""Run Epochal's command line: ``python -m epochal`` is the same as ``epochal``."""

from epochal.cli import main

main()
