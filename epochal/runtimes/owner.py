"""Whose a training is, written where a later job finds it: what is left over of a dead one is known by that."""

import os
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

NO_RUN = 0
"""Stands for the run of what belongs to none: a proof, a dataset's fetching."""


@dataclass(frozen=True)
class Belonging:
    """What a container or a process was started for: ``home`` by its id, run and trial, and when it has ended at the
    latest (seconds since the epoch)."""

    home: str
    run: int
    trial: int
    until: int

    @classmethod
    def to_no_run(cls, home: str, seconds: float) -> "Belonging":
        """Return what belongs to no run, and lasts ``seconds`` at most."""
        return cls(home, NO_RUN, 0, int(time.time() + seconds) + 60)

    def is_left_over(self, is_alive: Callable[[int, int], bool]) -> bool:
        """Return whether nobody waits for it any more: ``is_alive`` denies run and trial, or, of no run, its time is over."""
        return time.time() > self.until if self.run == NO_RUN else not is_alive(self.run, self.trial)


def id_of(home: Path) -> str:
    """Return the stable id of ``home``: random, as two machines may have a home of the same path and share an engine."""
    path = home / "id"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=home, prefix=".id-") as file:
            file.write(uuid.uuid4().hex)
            file.flush()
            with suppress(FileExistsError):  # another process was first: its id counts
                os.link(file.name, path)
    return path.read_text(encoding="ascii").strip()
