"""Views of a run, shared by several commands: its JSON, its one-line summary, its curves, and its timeline."""
