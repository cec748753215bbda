"""Views of a run that several commands share: its JSON, its one-line summary, its curves, and its timeline."""
