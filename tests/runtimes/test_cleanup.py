"""Cleaning up a resource, even if its creation was interrupted."""

import os
import signal

import pytest

from epochal.runtimes.cleanup import managed_resource


class Interrupted(Exception):
    """Raised by a signal handler."""


def test_interrupted_creation_is_cleaned_up() -> None:
    """If a signal handler raises an exception, the resource may exist although ``create`` has not returned."""

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    def create() -> str:
        os.kill(os.getpid(), signal.SIGUSR1)
        return "thing"

    removed: list[str] = []
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(Interrupted), managed_resource(create, removed.append):
            signal.pause()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert removed == ["thing"]


def test_failed_creation_is_not_cleaned_up() -> None:
    """The error from the creation is raised."""

    def create() -> str:
        raise ValueError("no room")

    with (
        pytest.raises(ValueError, match="no room"),
        managed_resource(create, lambda thing: pytest.fail("there is nothing to unmake")),
    ):
        pytest.fail("nothing was made")
