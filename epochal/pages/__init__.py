"""Views of a run that several commands share: its JSON, its one-line summary, and its timeline."""
