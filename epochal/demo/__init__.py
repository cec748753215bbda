"""The demo: a commit's whole way to the mail, on this machine, with stand-ins only for GitHub and the mail server."""
