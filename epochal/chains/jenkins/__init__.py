"""The chain with Jenkins: its jobs are made, checked and followed from here."""
