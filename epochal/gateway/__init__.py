"""How Epochal learns of pushes: the webhook with its secret and tunnel, or polling, which needs none of these."""
