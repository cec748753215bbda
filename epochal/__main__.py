"""Run Epochal's command-line interface: ``python -m epochal`` is the same as ``epochal``."""

import sys

# Python puts the current folder first, where a user's random.py or logging.py would hide Python's own module.
if not sys.flags.safe_path:
    del sys.path[0]

from epochal.cli import main

main()
