"""How Epochal learns of pushes: through a webhook, with its secret and tunnel, or by polling, which needs neither."""
