"""Runtimes: run a training in a Docker container or in a plain process."""
