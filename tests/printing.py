"""Printed output for the tests of accuracies."""

from epochal.results.printed import PrintedLines


def printed(output: str) -> PrintedLines:
    """Return the lines of ``output``, which was printed all at once."""
    lines = PrintedLines()
    lines.feed(output.encode(), at=0.0)
    lines.close()
    return lines
