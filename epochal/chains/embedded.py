"""The chain without Jenkins: it takes runs from the database, oldest first, and runs the job scripts for each."""

import logging
import threading

from epochal.app import App
from epochal.chains.job_scripts import ChainStopped, JobScripts, first_job, next_job
from epochal.errors import Reason
from epochal.jobs.finish import fail_stuck_run
from epochal.records import Run
from epochal.store.errors import DatabaseUnavailable
from epochal.store.owner import signal_owner, wait_until_gone
from epochal.store.runs import list_runs, load_run, next_run, owner_of_run

_log = logging.getLogger("epochal.chain")

_MAX_ATTEMPTS = 3
"""A run fails after this many attempts without a result, so that it does not block its branch."""

_PAUSE_SECONDS = 5.0
"""How long a worker pauses after an error, or after an attempt that produced no result."""

_USAGE_STATUS = 2


class EmbeddedChain:
    """Worker threads, each of which runs the jobs of one run at a time.

    Call ``wake`` after storing a run: idle workers wait for this call instead of polling the database. ``parallel`` is
    the number of workers.
    """

    def __init__(self, app: App, scripts: JobScripts, parallel: int) -> None:
        self._app = app
        self._database = app.database
        self._scripts = scripts
        self._changed = threading.Condition()
        self._busy: set[int] = set()
        self._attempts: dict[int, int] = {}
        self._stopping = False
        self._workers = [threading.Thread(target=self._work, name=f"chain-{number}") for number in range(parallel)]

    def start(self) -> None:
        """Start the workers. They also continue runs that an earlier process left unfinished."""
        for run in list_runs(self._database, limit=1000):
            owner = None if run.state.ended else owner_of_run(self._database, run.id)
            if owner:  # A job outlived its chain. When it ends, a worker must start the run's next job.
                threading.Thread(target=self._wake_after, args=(owner,), daemon=True).start()
        for worker in self._workers:
            worker.start()

    def wake(self) -> None:
        """Make idle workers look for a run in the database."""
        with self._changed:
            self._changed.notify_all()

    def interrupt(self, owner: str) -> None:
        """Send SIGTERM to the process ``owner``, which then checks whether it was asked to stop its run."""
        signal_owner(owner)

    def stop(self) -> None:
        """Stop the running jobs and wait for the workers. Unfinished runs remain in the database for the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._scripts.stop()
        for worker in self._workers:
            worker.join()

    def _wake_after(self, owner: str) -> None:
        wait_until_gone(owner)
        self.wake()

    def _work(self) -> None:
        while not self._stopping:
            try:
                run = self._wait_for_next_run()
                if run:
                    self._run_jobs(run)
            except ChainStopped:
                return
            except Exception:
                # An error in one run, or a database that does not answer, must not end the worker.
                _log.exception("the chain failed; trying again")
                self._pause()

    def _wait_for_next_run(self) -> Run | None:
        with self._changed:
            while not self._stopping:
                run = next_run(self._database, self._busy)
                if run:
                    self._busy.add(run.id)
                    return run
                self._changed.wait()
        return None

    def _run_jobs(self, run: Run) -> None:
        """Run the jobs of ``run`` one after another, until there is no next job."""
        try:
            job, status, job_log = first_job(run), 0, ""
            while job:
                job_log = f"{job}.console.log"
                _log.info("run %s: %s started", run.id, job)
                status = self._scripts.run(job, run)
                _log.info("run %s: %s ended with status %s", run.id, job, status)
                job = next_job(job, status)
            if self._scripts.stopping or load_run(self._database, run.id).state.ended:
                return
            if status == _USAGE_STATUS:
                _log.error("run %s: waiting until the settings are fixed; for details, see %s", run.id, job_log)
            else:
                self._count_attempt(run.id)
            self._pause()
        except (ChainStopped, DatabaseUnavailable):
            raise
        except Exception:
            self._count_attempt(run.id)  # A run that always fails like this must be ended, too.
            raise
        finally:
            with self._changed:
                self._busy.discard(run.id)
                self._changed.notify_all()

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, _PAUSE_SECONDS)

    def _count_attempt(self, run: int) -> None:
        self._attempts[run] = self._attempts.get(run, 0) + 1
        if self._attempts[run] < _MAX_ATTEMPTS:
            return
        _log.error("run %s: giving up after %s attempts; see the jobs' console logs", run, _MAX_ATTEMPTS)
        fail_stuck_run(self._app, run, Reason.INTERNAL_ERROR, Reason.INTERNAL_ERROR.explanation)
