"""What a trial finds around its code, the same in both runtimes, and what is kept of what it makes."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from epochal.analysis.frameworks import DatasetCache, dataset_caches
from epochal.errors import SettingsError
from epochal.folders import TrialFolder
from epochal.runtimes.log import MEGABYTE
from epochal.settings import ServerSettings

_RECORDER = Path(__file__).resolve().parent.parent / "recorder"


@dataclass(frozen=True)
class Datasets:
    """The dataset cache of all frameworks; ``folder`` is its path here, or inside a container."""

    folder: Path

    def of(self, cache: DatasetCache) -> Path:
        """Return the folder of one framework."""
        return self.folder / cache.folder

    def variables_to_fill_it(self) -> dict[str, str]:
        """Return the environment variables that make each framework download into the cache."""
        return {cache.variable: str(self.of(cache)) for cache in dataset_caches()}

    def variables_to_read_it(self) -> dict[str, str]:
        """Return the environment variables of a training whose HOME has the links of ``workplace``."""
        return {cache.variable: str(self.of(cache)) for cache in dataset_caches() if not cache.linked_as}


@dataclass(frozen=True)
class Workplace:
    """A trial's passing folders: its HOME, and its own copy of the recorder for PYTHONPATH."""

    home: Path
    recorder: Path


def dataset_cache(home: Path) -> Datasets:
    """The dataset cache of an EPOCHAL_HOME, made if it is missing."""
    datasets = Datasets(home / "cache" / "datasets")
    for cache in dataset_caches():
        datasets.of(cache).mkdir(parents=True, exist_ok=True)
    return datasets


def data_folder(settings: ServerSettings) -> Path | None:
    """The server's data folder, None if there is none; raises SettingsError if it is no folder."""
    if not settings.data:
        return None
    path = Path(settings.data).expanduser().absolute()
    if not path.is_dir():
        raise SettingsError(
            f"data: {path} is not a folder. Make it, or set data in server.toml to the one that is meant."
        )
    return path


@contextmanager
def workplace(folder: TrialFolder, datasets: Datasets, seen: Datasets) -> Iterator[Workplace]:
    """A trial's workplace, gone on the way out. The training sees the cache ``datasets`` as ``seen``."""
    scratch = folder.path / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    place = Workplace(scratch / "home", scratch / "recorder")
    try:
        shutil.copytree(_RECORDER, place.recorder, ignore=shutil.ignore_patterns("__pycache__"))
        place.home.mkdir()
        for cache in dataset_caches():
            if cache.linked_as:
                _link(place.home / cache.linked_as, datasets.of(cache), seen.of(cache))
        yield place
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _link(folder: Path, cached: Path, seen: Path) -> None:
    # The trial can write to the folder; the cached files in it are links. What was unpacked in the cache is left aside.
    for file in cached.glob("*/*"):
        if file.is_file():
            link = folder / file.relative_to(cached)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(seen / file.relative_to(cached))


@dataclass(frozen=True)
class Made:
    """A file that the training made or changed: where, and how many bytes."""

    path: Path
    size: int


def files_in(folder: TrialFolder) -> dict[Path, tuple[int, int]]:
    """Every regular file of the trial's code, output and checkpoints: its size in bytes and the time of its last change (ns)."""
    found = {}
    for top in (folder.code, folder.out, folder.checkpoints):
        for parent, _, names in os.walk(top):
            for name in names:
                path = Path(parent, name)
                if path.is_file() and not path.is_symlink():
                    status = path.stat()
                    found[path] = (status.st_size, status.st_mtime_ns)
    return found


def keep_within(limit_mb: float, folder: TrialFolder, before: dict[Path, tuple[int, int]]) -> list[str]:
    """Remove the biggest files that the training made, until the rest is within ``limit_mb``; returns a line for each.

    ``before``: what ``files_in`` told ahead of the training. To be called when nothing of the training runs any more.
    """
    made = [Made(path, found[0]) for path, found in files_in(folder).items() if before.get(path) != found]
    total = sum(file.size for file in made)
    lines = []
    for file in sorted(made, key=lambda file: file.size, reverse=True):
        if total <= limit_mb * MEGABYTE:
            break
        file.path.unlink()
        total -= file.size
        shown = file.path.relative_to(folder.path)
        lines.append(f"[epochal: {shown} ({file.size / MEGABYTE:.1f} MB) was not kept, see limits.output_mb]")
    return lines
