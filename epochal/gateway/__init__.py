"""How a push gets in: webhook, secret, tunnel, its registration at GitHub; or polling instead."""
