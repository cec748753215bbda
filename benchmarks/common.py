"""What the benchmarks share: homes, a Python with Keras, and tables. BENCH_CACHE_FOLDER, if set, keeps the environments."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from epochal.runtimes.process import ProcessRuntime
from epochal.settings import Environment, child_environment, read_server_settings

QUICK = "--quick" in sys.argv
RECORDER = Path(__file__).resolve().parent.parent / "epochal" / "recorder"
_CACHE = Path(os.environ.get("BENCH_CACHE_FOLDER", Path(__file__).resolve().parent.parent / ".cache" / "bench"))


@contextmanager
def new_home() -> Iterator[Path]:
    """An EPOCHAL_HOME of its own, but for the environments that trainings run in."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder, "home")
        home.mkdir()
        (home / "cache").symlink_to(_CACHE.absolute())
        yield home


def keras_python(home: Path) -> str:
    """The Python that the process runtime trains Keras code with; made if it is not there yet."""
    given = {name: value for name, value in os.environ.items() if name == "EPOCHAL_CA_BUNDLE"}
    settings = read_server_settings(Environment.read({"EPOCHAL_HOME": str(home)} | given))
    with tempfile.TemporaryDirectory() as code:
        environment = ProcessRuntime(home, settings).prepare(
            "keras", Path(code), lambda line: print(line, file=sys.stderr)
        )
    return f"{environment}/bin/python"


def run_script(python: str, script: str, folder: Path, **variables: str) -> str:
    """Run a script as nn.py in an emptied ``folder``, quietly; what it printed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "nn.py").write_text(script)
    environment = child_environment({"TF_CPP_MIN_LOG_LEVEL": "3"} | variables)
    done = subprocess.run(
        [python, "nn.py"], cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    return done.stdout.decode()


def observed(folder: Path) -> dict[str, str]:
    """The variables with which a training in ``folder`` is observed, its output and checkpoints beside it."""
    places = {"EPOCHAL_OUT": folder.parent / "out", "EPOCHAL_CHECKPOINTS": folder.parent / "checkpoints"}
    for place in places.values():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    return {name: str(place) for name, place in places.items()} | {"PYTHONPATH": str(RECORDER)}


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def print_table(title: str, rows: Sequence[Sequence[str]]) -> None:
    """A title, and rows under their headings in aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print(f"\n{title}\n")
    for row in rows:
        print(
            "  "
            + "  ".join(
                f"{cell:<{width}}" if index == 0 else f"{cell:>{width}}"
                for index, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        )
