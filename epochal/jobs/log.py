"""Print a job's output, which Jenkins shows as the console log."""


def log(line: str) -> None:
    """Print one line and flush it, without colours or carriage returns."""
    print(line, flush=True)  # noqa: T201 (the only print in the jobs)
