"""The three jobs: pull, train, retrain. The only composers of store, runtimes, strategies and notices."""

from epochal.jobs.frame import run_job
from epochal.jobs.outbox import drain_outbox

__all__ = ["drain_outbox", "run_job"]
