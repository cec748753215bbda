"""The demo: a commit's whole way to the mail, on this machine. Only GitHub and the mail server are stand-ins."""
