"""Print a job's output, which Jenkins shows as the console log."""


def log(line: str) -> None:
    """Print one line as is, adding no colours or carriage returns, and flush the output."""
    print(line, flush=True)  # noqa: T201 (the only print in the jobs)
