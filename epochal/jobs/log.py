"""A job's output, which is what Jenkins shows."""


def log(line: str) -> None:
    """Print one line at once, without colours or carriage returns."""
    print(line, flush=True)  # noqa: T201 (the one place where jobs print)
