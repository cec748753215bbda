"""When the embedded chain retries a run whose jobs end without a result, and when it gives up on the run."""

import queue
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from epochal.app import App
from epochal.chains import embedded
from epochal.chains.embedded import EmbeddedChain
from epochal.chains.job_scripts import JobScripts
from epochal.errors import Reason
from epochal.folders import resource
from epochal.records import Run, State
from epochal.store.runs import load_run
from tests.jobs.chain import environment_of, store_push
from tests.repositories import make_repository

_REACHING_FILES: dict[str, str | bytes] = {
    "nn.py": "print('Test accuracy: 0.9')\n",
    "epochal.toml": "threshold = 0.5\n",
}
_WRONG_USAGE, _INTERNAL_ERROR = 2, 70


class _FaultyScripts(JobScripts):
    """The real job scripts, but the first calls fail with ``faults``, each an exit status or an error to raise."""

    def __init__(self, home: Path, faults: Sequence[int | OSError]) -> None:
        super().__init__(environment_of(home), resource("scripts"), {"EPOCHAL_RUNTIME": "process"})
        self.started: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
        self._faults = list(faults)

    def run(self, job: str, run: Run, output: Any = None) -> int:
        """Return or raise the next fault, or run ``job`` if none is left."""
        self.started.put((job, run.id))
        if not self._faults:
            return super().run(job, run, output)
        fault = self._faults.pop(0)
        if isinstance(fault, OSError):
            raise fault
        return fault


def _process_until_next_run(home: Path, tmp_path: Path, faults: Sequence[int | OSError]) -> tuple[list[str], Run]:
    """Give a chain with one worker two runs; once the second starts, return the jobs of the first, and that run.

    The worker takes the oldest run that has not ended, so it starts the second run only after the first has ended.
    """
    first, second = (
        store_push(home, make_repository(tmp_path / name, _REACHING_FILES)) for name in ("first", "second")
    )
    app = App.open(environment_of(home))
    scripts = _FaultyScripts(home, faults)
    chain = EmbeddedChain(app, scripts, 1)
    chain.start()
    try:
        jobs = []
        while (start := scripts.started.get(timeout=60)) != ("pull", second.id):
            assert start[1] == first.id
            jobs.append(start[0])
            assert len(jobs) < 10, "the run is driven for ever"
    finally:
        chain.stop()
    run = load_run(app.database, first.id)
    app.database.close()
    return jobs, run


@pytest.mark.parametrize("fault", [_INTERNAL_ERROR, 1, -9, FileNotFoundError("pull.sh")], ids=repr)
def test_run_is_given_up_after_three_attempts_without_a_result(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int | OSError
) -> None:
    """The run fails, whatever the fault was, and the worker goes on to the next run."""
    monkeypatch.setattr(embedded, "_PAUSE_SECONDS", 0.0)
    jobs, run = _process_until_next_run(home, tmp_path, [fault] * 3)
    assert jobs == ["pull"] * 3
    assert (run.state, run.reason) == (State.FAILED, Reason.INTERNAL_ERROR)
    assert run.ended is not None


@pytest.mark.parametrize("faults", [[_INTERNAL_ERROR] * 2, [_WRONG_USAGE] * 3 + [_INTERNAL_ERROR] * 2])
def test_run_is_retried_before_it_is_given_up(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: list[int]
) -> None:
    """The third attempt may still succeed. Usage errors do not count, because somebody has to correct the settings."""
    monkeypatch.setattr(embedded, "_PAUSE_SECONDS", 0.0)
    jobs, run = _process_until_next_run(home, tmp_path, faults)
    assert jobs == ["pull"] * len(faults) + ["pull", "train"]
    assert run.state is State.REACHED
