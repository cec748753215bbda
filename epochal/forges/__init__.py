"""Where a repository is hosted: one module per forge."""
