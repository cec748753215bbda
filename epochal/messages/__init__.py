"""What is sent when a run ends, to whom, and when it is tried again."""
