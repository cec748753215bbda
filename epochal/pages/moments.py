"""Reading together what is known of when a run came to what."""

from datetime import UTC, datetime

from epochal.jobs.job import Job
from epochal.jobs.left_files import read_left_text
from epochal.moments import Moment
from epochal.pages.timeline import timeline
from epochal.records import Run


def moments_of(job: Job, run: Run) -> list[Moment]:
    """The moments of a run, running or ended, oldest first."""
    folder = job.home.run(run.id)
    metrics = {trial.number: read_left_text(folder.trial(trial.number).metrics) or "" for trial in run.trials}
    notice = job.store.notice(run.id)
    deliveries, marks = job.store.deliveries_of(run.id), job.store.marks(run.id)
    return timeline(run, deliveries, marks, notice.sent if notice else None, metrics, datetime.now(UTC))
