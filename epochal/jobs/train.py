"""Job train: the first trial, exactly as the developer wrote it, and the gate's verdict on it."""

from epochal.jobs.finish import end_run
from epochal.jobs.foresight import foresee
from epochal.jobs.job import Job, tell
from epochal.jobs.plan import plan_of, prepare
from epochal.jobs.reuse import take_over
from epochal.jobs.strategy import GiveUp, Proposal
from epochal.jobs.trial import run_trial, start_trial
from epochal.jobs.verdict import last_measured, verdict_of, wanted_of_next
from epochal.records import Run, State, Verdict


def train(job: Job, run: Run) -> State:
    """Train as pushed: REACHED ends the run with a mail, BELOW leaves it to job retrain. Raises RunFailed.

    Where an earlier run's verdict is taken over, nothing is trained: the run ends as that one did. A job that was killed
    behind the measurement left a trial that only waits for its verdict.
    """
    plan = plan_of(job, run)
    if ended := take_over(job, run, plan):
        return ended
    prepare(job, run, plan, State.TRAINING)
    trial = last_measured(run) or run_trial(job, run, plan, Proposal(), start_trial(job, run, Proposal()))
    if verdict_of(job, run, plan, trial) is Verdict.REACHED:
        end_run(job, run.id, State.REACHED)
        return State.REACHED
    wanted = wanted_of_next(job, run, plan)
    if not isinstance(wanted, GiveUp):
        foresee(job, run, plan, trial, wanted)
    job.store.change(run.id, state=State.BELOW.value)
    tell("job retrain goes on from here")
    return State.BELOW
