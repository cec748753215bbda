"""What the gateway logs, to be waited for."""

import logging
import logging.handlers
import queue
from collections.abc import Iterator

import pytest

LogLines = queue.SimpleQueue[logging.LogRecord]


@pytest.fixture
def log() -> Iterator["LogLines"]:
    """The records of the gateway's logger, as they come."""
    records: LogLines = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(records)
    logger = logging.getLogger("epochal.gateway")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield records
    logger.removeHandler(handler)
    logger.setLevel(level)
