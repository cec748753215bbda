"""The demo: every step from commit to mail, on this machine. Only GitHub and the mail server are replaced by stand-ins."""
