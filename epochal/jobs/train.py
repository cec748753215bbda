"""The train job: train the model with the code exactly as it was pushed, and record the verdict."""

from epochal.app import App
from epochal.jobs.finish import end_run
from epochal.jobs.log import log
from epochal.jobs.plan import plan_run, prepare_run
from epochal.jobs.reuse import reuse_verdict
from epochal.jobs.strategy import GiveUp, Proposal
from epochal.jobs.trial import run_trial, start_trial
from epochal.jobs.verdict import next_target, record_forecast, record_verdict
from epochal.records import Run, State, Verdict
from epochal.store.transitions import change_run


def train(app: App, run: Run) -> State:
    """Train the model with a run's code as it was pushed, and return the run's new state. Raises RunFailed.

    If the state is REACHED, the run has ended and its email is queued; if it is BELOW, the run continues with the
    retrain job. If the verdict of an earlier run is reused, nothing is trained, and the run ends in the same state as
    the earlier run. If an earlier job was killed right after its trial was measured, that trial gets its verdict and
    does not run again.
    """
    active = plan_run(app, run)
    if ended := reuse_verdict(active):
        return ended
    prepare_run(active, State.TRAINING)
    trial = run.last_measured or run_trial(active, start_trial(active, Proposal()))
    if record_verdict(active, trial) is Verdict.REACHED:
        end_run(app, run.id, State.REACHED)
        return State.REACHED
    target = next_target(active)
    if not isinstance(target, GiveUp):
        record_forecast(active, trial, target)
    change_run(app.database, run.id, state=State.BELOW)
    log("next: the retrain job")
    return State.BELOW
