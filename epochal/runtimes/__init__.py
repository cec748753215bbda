"""Runtimes: run the training in a Docker container or in a plain process."""
