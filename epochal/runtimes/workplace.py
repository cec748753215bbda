"""What a trial finds around its code, the same in both runtimes, and what is kept of what it makes."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from epochal.analysis.frameworks import dataset_caches
from epochal.errors import SettingsError
from epochal.folders import TrialFolder
from epochal.runtimes.log import MEGABYTE, LogFile
from epochal.settings import LimitSettings, ServerSettings

_RECORDER = Path(__file__).resolve().parent.parent / "recorder"


@dataclass(frozen=True)
class Workplace:
    """A trial's passing folders: its HOME, and its own copy of the recorder for PYTHONPATH; and its log."""

    home: Path
    recorder: Path
    log: LogFile


def dataset_cache(home: Path) -> Path:
    """Return the dataset cache of an EPOCHAL_HOME, made if it is missing: a folder for each framework."""
    datasets = home / "cache" / "datasets"
    for cache in dataset_caches():
        (datasets / cache.folder).mkdir(parents=True, exist_ok=True)
    return datasets


def dataset_variables(datasets: Path, *, links: bool) -> dict[str, str]:
    """Return the environment variables with which each framework uses the dataset cache, seen as the folder ``datasets``.

    ``links``: HOME has the links of ``workplace``, so that the frameworks that these are for need no variable.
    """
    caches = [cache for cache in dataset_caches() if not (links and cache.linked_as)]
    return {cache.variable: str(datasets / cache.folder) for cache in caches}


def data_folder(settings: ServerSettings) -> Path | None:
    """Return the server's data folder, None if there is none; raises SettingsError if it is no folder."""
    if not settings.data:
        return None
    path = Path(settings.data).expanduser().absolute()
    if not path.is_dir():
        raise SettingsError(
            f"data: {path} is not a folder. Make it, or set data in server.toml to the one that is meant."
        )
    return path


@contextmanager
def workplace(folder: TrialFolder, limits: LimitSettings, datasets: Path, seen: Path) -> Iterator[Workplace]:
    """Open a trial's workplace, gone on the way out; what the training made is then kept within ``limits``, as the log says.

    The training sees the cache ``datasets`` as ``seen``. Nothing of it may run any more on the way out.
    """
    scratch = folder.path / "scratch"
    home, recorder = scratch / "home", scratch / "recorder"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        shutil.copytree(_RECORDER, recorder, ignore=shutil.ignore_patterns("__pycache__"))
        home.mkdir()
        for cache in dataset_caches():
            if cache.linked_as:
                _link(home / cache.linked_as, datasets / cache.folder, seen / cache.folder)
        before = _files_in(folder)
        with LogFile(folder.log, int(limits.log_mb * MEGABYTE)) as log:
            yield Workplace(home, recorder, log)
            for line in _keep_within(limits.output_mb, folder, before):
                log.write(f"\n{line}\n".encode("utf-8", "backslashreplace"))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _link(folder: Path, cached: Path, seen: Path) -> None:
    # The trial can write to the folder; the cached files in it are links. What was unpacked in the cache is left aside.
    for file in cached.glob("*/*"):
        if file.is_file():
            link = folder / file.relative_to(cached)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(seen / file.relative_to(cached))


def _files_in(folder: TrialFolder) -> dict[Path, tuple[int, int]]:
    """Return every file of the trial's code, output and checkpoints: its size in bytes and when it last changed (ns)."""
    found = {}
    for top in (folder.code, folder.out, folder.checkpoints):
        for parent, _, names in os.walk(top):
            for name in names:
                path = Path(parent, name)
                if path.is_file() and not path.is_symlink():
                    status = path.stat()
                    found[path] = (status.st_size, status.st_mtime_ns)
    return found


def _keep_within(limit_mb: float, folder: TrialFolder, before: dict[Path, tuple[int, int]]) -> list[str]:
    """Remove the biggest files that the training made, until the rest is within ``limit_mb``; returns a line for each.

    ``before``: what ``_files_in`` returned ahead of the training.
    """
    made = {path: found[0] for path, found in _files_in(folder).items() if before.get(path) != found}
    total = sum(made.values())
    lines = []
    for path, size in sorted(made.items(), key=lambda file: file[1], reverse=True):
        if total <= limit_mb * MEGABYTE:
            break
        path.unlink()
        total -= size
        shown = path.relative_to(folder.path)
        lines.append(f"[epochal: {shown} ({size / MEGABYTE:.1f} MB) was not kept, see limits.output_mb]")
    return lines
