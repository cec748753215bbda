"""The mail about the end of a run: composed, typeset, and handed to a mail server."""
