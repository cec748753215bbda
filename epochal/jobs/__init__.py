"""The three jobs: pull, train, retrain. The only composers of store, runtimes, strategies and notices."""

from epochal.jobs.frame import join_search, run_job
from epochal.jobs.outbox import drain_outbox
from epochal.jobs.training import reap_left_overs

__all__ = ["drain_outbox", "join_search", "reap_left_overs", "run_job"]
