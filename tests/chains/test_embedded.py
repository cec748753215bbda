"""The chain without Jenkins: when it gives up a run whose jobs end without a result, and when it tries again."""

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
from epochal.records import Run, State
from epochal.resources import resource
from epochal.store.runs import load_run
from tests.jobs.chain import environment_of, store_push
from tests.repositories import make_repository

_REACHES: dict[str, str | bytes] = {"nn.py": "print('Test accuracy: 0.9')\n", "epochal.toml": "threshold = 0.5\n"}
_WRONG_USAGE, _INTERNAL_ERROR = 2, 70


class _Scripts(JobScripts):
    """The real job scripts, but the first ones end as ``faults`` says: with a status, or not started at all."""

    def __init__(self, home: Path, faults: Sequence[int | OSError]) -> None:
        super().__init__(environment_of(home), resource("scripts"), {"EPOCHAL_RUNTIME": "process"})
        self.started: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
        self._faults = list(faults)

    def run(self, job: str, run: Run, output: Any = None) -> int:
        """Run ``job``, or fail in its place."""
        self.started.put((job, run.id))
        if not self._faults:
            return super().run(job, run, output)
        fault = self._faults.pop(0)
        if isinstance(fault, OSError):
            raise fault
        return fault


def _drive_before_another(home: Path, tmp_path: Path, faults: Sequence[int | OSError]) -> tuple[list[str], Run]:
    """Let a chain with one worker drive a run until it takes the next one; returns the jobs it started, and the run.

    The worker takes the oldest run that has not ended, so it takes the second one only after the end of the first.
    """
    first, second = (store_push(home, make_repository(tmp_path / name, _REACHES)) for name in ("first", "second"))
    app = App.open(environment_of(home))
    scripts = _Scripts(home, faults)
    chain = EmbeddedChain(app, scripts, 1)
    chain.start()
    try:
        started = []
        while (begun := scripts.started.get(timeout=60)) != ("pull", second.id):
            assert begun[1] == first.id
            started.append(begun[0])
            assert len(started) < 10, "the run is driven for ever"
    finally:
        chain.stop()
    run = load_run(app.database, first.id)
    app.database.close()
    return started, run


@pytest.mark.parametrize("fault", [_INTERNAL_ERROR, 1, -9, FileNotFoundError("pull.sh")], ids=repr)
def test_a_run_without_a_result_is_given_up_after_three_attempts(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int | OSError
) -> None:
    """Fail a run whose job ends three times, by whatever fault, and does not end the run; then take the next one."""
    monkeypatch.setattr(embedded, "_PAUSE_SECONDS", 0.0)
    started, run = _drive_before_another(home, tmp_path, [fault] * 3)
    assert started == ["pull"] * 3
    assert (run.state, run.reason) == (State.FAILED, Reason.INTERNAL_ERROR)
    assert run.ended is not None


@pytest.mark.parametrize("faults", [[_INTERNAL_ERROR] * 2, [_WRONG_USAGE] * 3 + [_INTERNAL_ERROR] * 2])
def test_a_run_is_tried_again_until_then(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: list[int]
) -> None:
    """Let the third attempt succeed. Settings that somebody has to correct are not the run's fault and count for nothing."""
    monkeypatch.setattr(embedded, "_PAUSE_SECONDS", 0.0)
    started, run = _drive_before_another(home, tmp_path, faults)
    assert started == ["pull"] * len(faults) + ["pull", "train"]
    assert run.state is State.REACHED
