"""Job train: the first trial, exactly as the developer wrote it, and the gate's verdict on it."""

from epochal.jobs.ending import end_run
from epochal.jobs.job import Job, tell
from epochal.jobs.taking_over import take_over
from epochal.jobs.training import plan_of, prepare, verdict_of
from epochal.jobs.trial import run_trial
from epochal.records import Run, State, Verdict


def train(job: Job, run: Run) -> State:
    """Train as pushed: REACHED ends the run with a mail, BELOW leaves it to job retrain. Raises RunFailed.

    Where an earlier run's verdict is taken over, nothing is trained: the run ends as that one did.
    """
    plan = plan_of(job, run)
    if ended := take_over(job, run, plan):
        return ended
    prepare(job, run, plan, State.TRAINING)
    run_trial(job, run, plan.runtime, plan.image)
    if verdict_of(job, run, plan.threshold) is Verdict.REACHED:
        end_run(job, run.id, State.REACHED)
        return State.REACHED
    job.store.change(run.id, state=State.BELOW.value)
    tell("job retrain goes on from here")
    return State.BELOW
