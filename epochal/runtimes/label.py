"""Labels of containers and processes that say which run they belong to, so that orphaned ones can be found."""

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
    """A label that says what a container or process was started for.

    ``home``: the id of the home (see ``home_id``). ``run`` and ``trial``: their numbers; ``NO_RUN`` and 0 for other
    work. ``until``: the time by which it should have ended, in seconds since the Unix epoch.
    """

    home: str
    run: int
    trial: int
    until: int

    @classmethod
    def outside_runs(cls, home: str, seconds: float) -> "Label":
        """Return the ``Label`` of work outside of any run that takes up to ``seconds`` (and a minute to spare)."""
        return cls(home, NO_RUN, 0, int(time.time() + seconds) + 60)

    def is_orphaned(self, is_training: Callable[[int, int], bool]) -> bool:
        """Return whether no living process waits for it any more.

        ``is_training`` answers that for a run and a trial. Work that belongs to no run is orphaned once its time is
        over.
        """
        return time.time() > self.until if self.run == NO_RUN else not is_training(self.run, self.trial)


def home_id(home: Path) -> str:
    """Return the id of the folder ``home`` (an EPOCHAL_HOME), and store a random one in it on the first call.

    The path would not do: two machines may have homes at the same path and share a Docker engine.
    """
    path = home / "id"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=home, prefix=".id-") as file:
            file.write(uuid.uuid4().hex)
            file.flush()
            with suppress(FileExistsError):  # another process has just stored one, which is used
                os.link(file.name, path)
    return path.read_text(encoding="ascii").strip()
