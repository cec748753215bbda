"""What the tests of accuracies share: output that is printed at once."""

from epochal.results.printed import PrintedLines


def printed(output: str) -> PrintedLines:
    """The lines of ``output``, which arrived in one piece."""
    lines = PrintedLines()
    lines.feed(output.encode(), at=0.0)
    lines.close()
    return lines
