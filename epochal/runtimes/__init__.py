"""Runtimes: train in a Docker container or in a plain process."""
