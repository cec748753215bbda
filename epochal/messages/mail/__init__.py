"""The mail about a run that has ended: its wording, its layout, and sending it over SMTP."""
