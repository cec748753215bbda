"""``python -m epochal``: the same as the command ``epochal``."""

from epochal.cli import main

main()
