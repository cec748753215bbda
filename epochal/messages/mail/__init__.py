"""The email about a run that has ended: its wording, its layout, and how it is sent over SMTP."""
