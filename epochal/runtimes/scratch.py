"""Temporary folders for a trial in either runtime, and the limit on the total size of the files that it writes."""

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
class Scratch:
    """The temporary folders of a running trial: its HOME, and a copy of the recorder for PYTHONPATH.

    ``log`` is the trial's train.log, which is not temporary.
    """

    home: Path
    recorder: Path
    log: LogFile


def dataset_cache(home: Path) -> Path:
    """Return the dataset cache in ``home`` (EPOCHAL_HOME), creating it if it is missing.

    It has a folder for each framework that caches datasets.
    """
    datasets = home / "cache" / "datasets"
    for cache in dataset_caches():
        (datasets / cache.folder).mkdir(parents=True, exist_ok=True)
    return datasets


def dataset_variables(datasets: Path, *, links: bool) -> dict[str, str]:
    """Return the environment variables that make each framework use the dataset cache at the path ``datasets``.

    ``links``: whether HOME has the links that ``scratch_folders`` creates; if so, no variables are returned for the
    frameworks that find their datasets through these links.
    """
    caches = [cache for cache in dataset_caches() if not (links and cache.link_folder)]
    return {cache.variable: str(datasets / cache.folder) for cache in caches}


def data_folder(settings: ServerSettings) -> Path | None:
    """Return the server's ``data`` folder, or None if none is set. Raises SettingsError if it is not a folder."""
    if not settings.data:
        return None
    path = Path(settings.data).expanduser().absolute()
    if not path.is_dir():
        raise SettingsError(f"data: {path} is not a folder. Create it, or correct the data setting in server.toml.")
    return path


@contextmanager
def scratch_folders(folder: TrialFolder, limits: LimitSettings, datasets: Path, visible_at: Path) -> Iterator[Scratch]:
    """Yield the scratch folders of the trial in ``folder``, and remove them on exit.

    ``datasets`` is the dataset cache, and ``visible_at`` is the path at which the script sees it. If the total size of
    the files that the script wrote exceeds ``limits.output_mb``, the biggest ones are removed on exit, and the log
    lists them; after an exception, they are all kept. All training processes must end before the ``with`` block does.
    """
    scratch = folder.path / "scratch"
    home, recorder = scratch / "home", scratch / "recorder"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        shutil.copytree(_RECORDER, recorder, ignore=shutil.ignore_patterns("__pycache__"))
        home.mkdir()
        for cache in dataset_caches():
            if cache.link_folder:
                _link(home / cache.link_folder, datasets / cache.folder, visible_at / cache.folder)
        before = _list_files(folder)
        with LogFile(folder.log, int(limits.log_mb * MEGABYTE)) as log:
            yield Scratch(home, recorder, log)
            for line in _limit_output(limits.output_mb, folder, before):
                log.write(f"\n{line}\n".encode("utf-8", "backslashreplace"))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _link(folder: Path, cached: Path, visible_at: Path) -> None:
    # Link each file, so that the script can write beside the links. Folders (unpacked archives) are skipped.
    for file in cached.glob("*/*"):
        if file.is_file():
            link = folder / file.relative_to(cached)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(visible_at / file.relative_to(cached))


def _list_files(folder: TrialFolder) -> dict[Path, tuple[int, int]]:
    """Return the size (bytes) and modification time (ns) of each file in the trial's code, output and checkpoints."""
    files = {}
    for top in (folder.code, folder.out, folder.checkpoints):
        for parent, _, names in os.walk(top):
            for name in names:
                path = Path(parent, name)
                if path.is_file() and not path.is_symlink():
                    status = path.stat()
                    files[path] = (status.st_size, status.st_mtime_ns)
    return files


def _limit_output(limit_mb: float, folder: TrialFolder, before: dict[Path, tuple[int, int]]) -> list[str]:
    """Remove files that the script wrote, biggest first, until ``limit_mb`` is met; return a log line for each.

    ``before`` is the result of ``_list_files`` before training.
    """
    written = {path: state[0] for path, state in _list_files(folder).items() if before.get(path) != state}
    total = sum(written.values())
    lines = []
    for path, size in sorted(written.items(), key=lambda file: file[1], reverse=True):
        if total <= limit_mb * MEGABYTE:
            break
        if path in (folder.metrics, folder.accuracy):  # the verdict is based on these
            continue
        path.unlink()
        total -= size
        shown = path.relative_to(folder.path)
        lines.append(f"[epochal: {shown} ({size / MEGABYTE:.1f} MB) was not kept; see output_mb in server.toml]")
    return lines
