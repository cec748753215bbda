"""Where training runs: in a container of a Docker engine, or in a plain process."""
