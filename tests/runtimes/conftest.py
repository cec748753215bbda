"""Fixtures for both runtimes: environments that are created once per session, and benches that run small scripts.

Reads EPOCHAL_BASE_IMAGE, EPOCHAL_CA_BUNDLE (or else SSL_CERT_FILE or PIP_CERT), DOCKER_HOST and CI from the
environment. Without a Docker engine, tests that need one are skipped, or fail if CI is set.
"""

import os
import select
import subprocess
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from epochal.folders import TrialFolder
from epochal.runtimes.choice import choose_runtime
from epochal.runtimes.runtime import Outcome, Runtime, Training
from epochal.settings import RuntimeName, ServerSettings

TIMEOUT_SECONDS = 60.0


def find_ca_bundle() -> str:
    """Return the path of the CA bundle that builds need on this machine, or an empty string."""
    names = ("EPOCHAL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT")
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def make_settings(changes: dict[str, dict[str, Any]] | None = None) -> ServerSettings:
    """Return settings for small scripts, with ``changes`` to their tables."""
    base = os.environ.get("EPOCHAL_BASE_IMAGE", "epochal-base:bookworm")
    tables: dict[str, Any] = {
        "limits": {"memory_mb": 512, "minutes": 2.0, "tmp_mb": 64},
        "images": {"base": base, "ca_bundle": find_ca_bundle()},
    }
    for name, table in (changes or {}).items():
        tables[name] = tables.get(name, {}) | table if isinstance(table, dict) else table
    return ServerSettings.model_validate(tables)


@dataclass(frozen=True)
class RunningTraining:
    """A training run in a thread. Its outcome is added to ``outcomes`` when it ends."""

    thread: threading.Thread
    outcomes: list[Outcome]

    def wait(self) -> Outcome:
        """Wait until the training has ended and return its outcome."""
        self.thread.join(TIMEOUT_SECONDS)
        assert self.outcomes, "the training did not end"
        return self.outcomes[0]


class Signal:
    """A FIFO in a trial's output folder that shows when a line is written, and when no writer is left."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def wait(self) -> bytes:
        """Wait for a line and return it, or return empty bytes if every writer has closed the FIFO."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        assert poll.poll(TIMEOUT_SECONDS * 1000), "nothing came"
        return os.read(self._descriptor, 1000)

    def is_held(self) -> bool:
        """Return whether a writer still has the FIFO open and there is nothing left to read."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return not poll.poll(0)


@dataclass(frozen=True)
class Bench:
    """One runtime in a home of its own. ``image`` is the runtime's plain Python environment."""

    name: RuntimeName
    home: Path
    docker_host: str
    image: str

    def make_runtime(self, **changes: Any) -> Runtime:
        """Return the runtime, with ``changes`` to its settings."""
        return choose_runtime(self.name, self.home, make_settings(changes), self.docker_host, print)

    def make_training(self, script: str, run: int = 1, trial: int = 1, image: str = "") -> Training:
        """Return a trial that runs ``script``."""
        folder = TrialFolder(self.home / "runs" / str(run) / "trials" / str(trial))
        folder.code.mkdir(parents=True)
        folder.out.mkdir(exist_ok=True)
        folder.checkpoints.mkdir(exist_ok=True)
        (folder.code / "nn.py").write_text(textwrap.dedent(script), encoding="utf-8")
        return Training(run, trial, folder, image or self.image)

    def make_signal(self, name: str = "alive", run: int = 1, trial: int = 1) -> Signal:
        """Return a FIFO that the trial finds in $EPOCHAL_OUT."""
        return Signal(TrialFolder(self.home / "runs" / str(run) / "trials" / str(trial)).out / name)

    def start(self, training: Training, runtime: Runtime) -> RunningTraining:
        """Start ``training`` in a thread."""
        outcomes: list[Outcome] = []
        thread = threading.Thread(target=lambda: outcomes.append(runtime.train(training)), daemon=True)
        thread.start()
        return RunningTraining(thread, outcomes)


MakeHome = Callable[[Path], Path]


@pytest.fixture(scope="session")
def make_home(shared_cache: Path) -> MakeHome:
    """Return a function that makes homes, which share environments, locks and import checks but no datasets."""

    def make(folder: Path) -> Path:
        (folder / "cache").mkdir(parents=True)
        for name in ("environments", "locks", "proven"):
            (shared_cache / name).mkdir(exist_ok=True)
            (folder / "cache" / name).symlink_to(shared_cache / name)
        return folder

    return make


@pytest.fixture(scope="session")
def prepare(
    make_home: MakeHome, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[RuntimeName, str], str]:
    """Return a function that creates the environment of a framework in a runtime, once per session."""
    home = make_home(tmp_path_factory.mktemp("session") / "home")
    images: dict[tuple[str, str], str] = {}

    def prepare_once(name: RuntimeName, framework: str) -> str:
        if (name, framework) not in images:
            host = request.getfixturevalue("docker_host") if name == "docker" else ""
            runtime = choose_runtime(name, home, make_settings(), host, print)
            images[name, framework] = runtime.prepare(framework, home, print)
        return images[name, framework]

    return prepare_once


@pytest.fixture
def docker_bench(
    tmp_path: Path, make_home: MakeHome, docker_host: str, prepare: Callable[[RuntimeName, str], str]
) -> Bench:
    """Return a bench for the Docker runtime in a new home."""
    return Bench("docker", make_home(tmp_path / "home"), docker_host, prepare("docker", "python"))


@pytest.fixture
def process_bench(tmp_path: Path, make_home: MakeHome, prepare: Callable[[RuntimeName, str], str]) -> Bench:
    """Return a bench for the process runtime in a new home."""
    return Bench("process", make_home(tmp_path / "home"), "", prepare("process", "python"))


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def bench(request: pytest.FixtureRequest) -> Bench:
    """Return a bench for each runtime in turn, in a new home."""
    chosen: Bench = request.getfixturevalue(f"{request.param}_bench")
    return chosen


@pytest.fixture
def follow_file() -> Iterator[Callable[[Path], Iterator[str]]]:
    """Yield a function that follows a file, which need not exist yet, and yields each line as soon as it is written."""
    tails = []

    def follow(path: Path) -> Iterator[str]:
        tail = subprocess.Popen(
            ["tail", "-n", "+1", "-s", "0.1", "-F", str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        tails.append(tail)
        assert tail.stdout is not None
        yield from tail.stdout

    yield follow
    for tail in tails:
        tail.kill()
        tail.wait()
