"""Forges, the services that host repositories; so far only GitHub."""
