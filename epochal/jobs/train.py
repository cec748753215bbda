"""Job train: the first trial, exactly as the developer wrote it, and the gate's verdict on it."""

from epochal.jobs.ending import end_run
from epochal.jobs.foresight import foresee
from epochal.jobs.job import Job, tell
from epochal.jobs.training import prepare, verdict_of
from epochal.jobs.trial import run_trial, start_trial
from epochal.records import Run, State, Verdict
from epochal.strategies.answer import Proposal


def train(job: Job, run: Run) -> State:
    """Train as pushed: REACHED ends the run with a mail, BELOW leaves it to job retrain. Raises RunFailed."""
    prepared = prepare(job, run, State.TRAINING)
    trial = run_trial(job, run, prepared, Proposal(), start_trial(job, run, Proposal()))
    if verdict_of(job, run, prepared, trial) is Verdict.REACHED:
        end_run(job, run.id, State.REACHED)
        return State.REACHED
    foresee(job, run, prepared, trial)
    job.store.change(run.id, state=State.BELOW.value)
    tell("job retrain goes on from here")
    return State.BELOW
