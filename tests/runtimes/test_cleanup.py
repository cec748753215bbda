"""Making what has to be unmade."""

import os
import signal

import pytest

from epochal.runtimes.cleanup import made


class Interrupted(Exception):
    """Raised by a signal handler."""


def test_an_interruption_in_the_middle_of_making_loses_nothing() -> None:
    """What comes into being while a signal's exception is on its way is unmade all the same."""

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    def make() -> str:
        os.kill(os.getpid(), signal.SIGUSR1)
        return "thing"

    unmade: list[str] = []
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(Interrupted), made(make, unmade.append):
            signal.pause()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert unmade == ["thing"]


def test_what_could_not_be_made_is_not_unmade() -> None:
    """The maker's own error is what is told."""

    def make() -> str:
        raise ValueError("no room")

    with (
        pytest.raises(ValueError, match="no room"),
        made(make, lambda thing: pytest.fail("there is nothing to unmake")),
    ):
        pytest.fail("nothing was made")
