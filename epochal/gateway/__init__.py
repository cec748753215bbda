"""How a push gets in: webhook, secret, tunnel, its registration at GitHub; and polling, which needs none of these."""
