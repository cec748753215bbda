"""A fixture that waits for lines in the gateway's log."""

import logging
import logging.handlers
import queue
from collections.abc import Iterator

import pytest

from tests.gateway.loopback import NextLine


@pytest.fixture
def log() -> Iterator[NextLine]:
    """Return a function that waits for the next line of the gateway's log."""
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(records)
    logger = logging.getLogger("epochal.gateway")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lambda: records.get(timeout=20).getMessage()
    logger.removeHandler(handler)
    logger.setLevel(level)
