"""The email that is sent when a run ends: its recipients, its content, and its delivery."""
