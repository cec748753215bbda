"""The demo: the whole way from a commit to a mail on this machine, with stand-ins for GitHub and for the mail server only."""
