"""Printed output, for tests that read accuracies from it."""

from epochal.results.printed import PrintedLines


def printed(output: str) -> PrintedLines:
    """Return the lines of ``output``, as if it had been printed all at once."""
    lines = PrintedLines()
    lines.feed(output.encode(), at=0.0)
    lines.close()
    return lines
