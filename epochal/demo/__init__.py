"""The demo: all steps from a commit to the mail, on this machine. Only GitHub and the mail server are replaced by stand-ins."""
