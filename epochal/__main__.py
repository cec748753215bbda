"""Run Epochal's command-line interface: ``python -m epochal`` is the same as ``epochal``."""

from epochal.cli import main

main()
