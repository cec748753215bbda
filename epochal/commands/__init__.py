"""The commands of ``epochal``: one module per command, with its options and its code."""
