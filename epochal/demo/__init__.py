"""The demo: every step from commit to email, on this machine. Only GitHub and the mail server are stand-ins."""
