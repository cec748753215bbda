"""The runtimes, which run training in a Docker container or in a plain process."""
