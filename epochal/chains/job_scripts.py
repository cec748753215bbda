"""Run the same job scripts as Jenkins does, with the same variables, and choose the next job by the exit status."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO

from epochal.folders import Home
from epochal.records import Run, State
from epochal.settings import Environment, child_environment

_FIRST_JOBS = {
    State.QUEUED: "pull",
    State.PULLED: "train",
    State.TRAINING: "train",
    State.BELOW: "retrain",
    State.RETRAINING: "retrain",
}
_NEXT_JOBS = {("pull", 0): "train", ("train", 3): "retrain"}


def first_job(run: Run) -> str | None:
    """Return the job that ``run`` needs next according to its state, or None if it has ended."""
    return _FIRST_JOBS.get(run.state)


def next_job(job: str, status: int) -> str | None:
    """Return the job that follows when ``job`` exits with ``status``, or None if no job follows."""
    return _NEXT_JOBS.get((job, status))


class JobScripts:
    """A runner for job scripts that waits for each script to end. Several threads may use it at once.

    ``scripts`` is the folder that contains the job scripts. ``variables`` are set in the environment of every script
    and override variables of the same name. ``stopping`` is True once ``stop`` has been called.
    """

    def __init__(self, environment: Environment, scripts: Path, variables: dict[str, str] | None = None) -> None:
        self.stopping = False
        self._home = Home(environment.home)
        self._scripts = scripts
        self._variables = variables or {}
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def run(self, job: str, run: Run, output: IO[bytes] | int | None = None) -> int:
        """Run ``job`` for ``run`` and return its exit status, or the negated number of the signal that ended it.

        The job's output goes to ``output``; by default it is appended to the job's console log in the run's folder.
        Raises ChainStopped if ``stop`` was called before the script started.
        """
        folder = self._home.run(run.id)
        folder.workspace.mkdir(parents=True, exist_ok=True)
        with folder.console(job).open("ab") if output is None else nullcontext(output) as stdout:
            with self._lock:
                if self.stopping:
                    raise ChainStopped
                # Start a new session, so that Ctrl-C reaches only the chain, which decides what happens to the job.
                process = subprocess.Popen(
                    [str(self._scripts / f"{job}.sh")],
                    cwd=folder.workspace,
                    env=self.variables(job, run),
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                self._running.add(process)
            status = process.wait()
        with self._lock:
            self._running.discard(process)
        return status

    def variables(self, job: str, run: Run) -> dict[str, str]:
        """Return the environment variables that the script of ``job`` gets when it works on ``run``."""
        folder = self._home.run(run.id)
        variables = {
            "EPOCHAL_HOME": str(self._home.path),
            "EPOCHAL_SCRIPTS": str(self._scripts),
            "EPOCHAL_PYTHON": sys.executable,
            "EPOCHAL_RUN": str(run.id),
            "EPOCHAL_BRANCH": run.commit.branch,
            "WORKSPACE": str(folder.workspace),
            "GIT_COMMIT": run.commit.sha,
            "GIT_URL": run.commit.repository,
            "JOB_NAME": job,
            "BUILD_NUMBER": str(run.id),
            "BUILD_URL": f"{folder.path.as_uri()}/",
        }
        return child_environment(variables | self._variables)

    def stop(self) -> None:
        """Send SIGTERM to the process group of every running script, and keep ``run`` from starting more."""
        with self._lock:
            self.stopping = True
            for process in self._running:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)


class ChainStopped(Exception):
    """Raised if a job is not started because the chain is being stopped."""
