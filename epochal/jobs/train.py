"""Job train: the first trial, exactly as the developer wrote it, and the gate's verdict on it."""

from epochal.app import App
from epochal.jobs.finish import end_run
from epochal.jobs.foresight import foresee
from epochal.jobs.log import log
from epochal.jobs.plan import plan_of, prepare
from epochal.jobs.reuse import take_over
from epochal.jobs.strategy import GiveUp, Proposal
from epochal.jobs.trial import run_trial, start_trial
from epochal.jobs.verdict import last_measured, verdict_of, wanted_of_next
from epochal.records import Run, State, Verdict


def train(app: App, run: Run) -> State:
    """Train as pushed: REACHED ends the run with a mail, BELOW leaves it to job retrain. Raises RunFailed.

    Where an earlier run's verdict is taken over, nothing is trained: the run ends as that one did. A job that was killed
    behind the measurement left a trial that only waits for its verdict.
    """
    plan = plan_of(app, run)
    if ended := take_over(app, run, plan):
        return ended
    prepare(app, run, plan, State.TRAINING)
    trial = last_measured(run) or run_trial(app, run, plan, Proposal(), start_trial(app, run, Proposal()))
    if verdict_of(app, run, plan, trial) is Verdict.REACHED:
        end_run(app, run.id, State.REACHED)
        return State.REACHED
    wanted = wanted_of_next(app, run, plan)
    if not isinstance(wanted, GiveUp):
        foresee(app, run, plan, trial, wanted)
    app.store.change(run.id, state=State.BELOW.value)
    log("job retrain goes on from here")
    return State.BELOW
