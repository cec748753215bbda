"""Labels that say which run a container or process belongs to, so that orphans can be found."""

import os
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

NO_RUN = 0
"""The run number of work that belongs to no run: checking imports, fetching a dataset, building an environment."""


@dataclass(frozen=True)
class Label:
    """A label that says for which run and trial a container or process was started.

    ``home``: the ID of the EPOCHAL_HOME (see ``home_id``). ``run`` and ``trial``: the numbers of the run and the trial;
    ``NO_RUN`` and 0 if the work belongs to no run. ``until``: the time by which the work should have ended, in seconds
    since the Unix epoch.
    """

    home: str
    run: int
    trial: int
    until: int

    @classmethod
    def outside_runs(cls, home: str, seconds: float) -> "Label":
        """Return the ``Label`` for work that belongs to no run and may take ``seconds`` (plus a minute to spare)."""
        return cls(home, NO_RUN, 0, int(time.time() + seconds) + 60)

    def is_orphaned(self, is_training: Callable[[int, int], bool]) -> bool:
        """Return whether the work with this label is orphaned: no live process is waiting for it any more.

        ``is_training`` takes the numbers of a run and a trial, and returns whether a live process is running that
        trial. Work that belongs to no run is orphaned once the time ``until`` has passed.
        """
        return time.time() > self.until if self.run == NO_RUN else not is_training(self.run, self.trial)


def home_id(home: Path) -> str:
    """Return the ID of the folder ``home`` (an EPOCHAL_HOME). The first call generates a random ID and stores it there.

    The path of the folder would not be unique, because two machines that share a Docker engine may use the same path.
    """
    path = home / "id"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=home, prefix=".id-") as file:
            file.write(uuid.uuid4().hex)
            file.flush()
            with suppress(FileExistsError):  # another process has just stored an ID, which is used instead
                os.link(file.name, path)
    return path.read_text(encoding="ascii").strip()
