"""Job retrain: more trials, until the threshold is reached, nothing is left to try, or the budget is used up."""

from epochal.app import App
from epochal.errors import Reason
from epochal.jobs.active_run import ActiveRun
from epochal.jobs.finish import end_run
from epochal.jobs.log import log
from epochal.jobs.plan import plan_run, prepare
from epochal.jobs.reuse import keep_offer
from epochal.jobs.strategy import Ended, GiveUp, next_trial
from epochal.jobs.trial import run_trial, start_trial
from epochal.jobs.verdict import next_target, record_forecast, record_verdict
from epochal.records import Run, State, Verdict
from epochal.store.errors import NotOwner, StopRequested

_WORTH_A_SEARCH = frozenset(
    {Reason.LEVELS_OFF, Reason.NO_EPOCHS, Reason.STOPS_ITSELF, Reason.NO_IMPROVEMENT, Reason.MAX_EPOCHS}
)
"""Why epochs alone will not do; where the budget is used up nothing else will."""


def retrain(app: App, run: Run) -> State:
    """Raise the epochs and resume training, then search: REACHED or EXHAUSTED, both with a mail.

    Raises RunFailed; StopRequested if the run was cancelled or superseded, NotOwner if another process has ended it.
    """
    active = plan_run(app, run)
    prepare(active, State.RETRAINING)
    end = _raise_epochs(active)
    if isinstance(end, GiveUp) and active.plan.space and end.reason in _WORTH_A_SEARCH:
        from epochal.jobs.search.conduct import search  # Optuna takes its time to be imported

        log(f"search: {end.explanation}")
        end = search(active, end)
    if isinstance(end, GiveUp):
        end_run(app, run.id, State.EXHAUSTED, end.reason, end.explanation)
        return State.EXHAUSTED
    if end is Ended.INTERRUPTED:
        raise NotOwner(f"Run {run.id} was ended by another process.")
    if end is not Ended.REACHED:
        raise StopRequested(run.id, State(end.value))
    keep_offer(active)
    end_run(app, run.id, State.REACHED)
    return State.REACHED


def _raise_epochs(active: ActiveRun) -> GiveUp | Ended:
    """Train with more epochs, trial by trial, until the threshold is reached or there is no next trial."""
    run = active.load()  # a process that searches may have reached it meanwhile
    if run.reached:
        return Ended.REACHED
    trial = run.last_measured  # one that was measured just before the job was killed may still want its verdict
    while trial is None or record_verdict(active, trial) is not Verdict.REACHED:
        wanted = next_target(active)
        if isinstance(wanted, GiveUp):
            return wanted
        if trial and trial.forecast is None:
            record_forecast(active, trial, wanted)
        proposal = next_trial(active.script, active.load().trials, active.plan.settings.retrain, wanted)
        if isinstance(proposal, GiveUp):
            return proposal
        trial = run_trial(active, start_trial(active, proposal))
    return Ended.REACHED
