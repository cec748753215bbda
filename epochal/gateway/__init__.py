"""How a push gets in: GitHub's webhook, an ngrok address for it, or asking the remote."""
