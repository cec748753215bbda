"""What a training produced: its accuracy, what it rests on, and whether it is enough."""
