"""Forges, the services that host repositories; only GitHub is supported so far."""
