"""Job retrain: more trials, until the threshold is reached, nothing is left to try, or the budget is used up."""

from epochal.app import App
from epochal.errors import Reason
from epochal.jobs.finish import end_run
from epochal.jobs.foresight import foresee
from epochal.jobs.log import log
from epochal.jobs.plan import Plan, plan_of, prepare
from epochal.jobs.reuse import keep_offer
from epochal.jobs.strategy import Ended, GiveUp, next_trial
from epochal.jobs.trial import run_trial, start_trial
from epochal.jobs.verdict import last_measured, verdict_of, wanted_of_next
from epochal.records import Run, State, Verdict
from epochal.store import NotOwner, StopRequested

_WORTH_A_SEARCH = frozenset(
    {Reason.LEVELS_OFF, Reason.NO_EPOCHS, Reason.STOPS_ITSELF, Reason.NO_IMPROVEMENT, Reason.MAX_EPOCHS}
)
"""Why epochs alone will not do; where the budget is used up nothing else will."""


def retrain(app: App, run: Run) -> State:
    """Raise the epochs and go on training, then search: REACHED or EXHAUSTED, both with a mail.

    Raises RunFailed; StopRequested if the run was cancelled or superseded, NotOwner if another process has ended it.
    """
    plan = plan_of(app, run)
    prepare(app, run, plan, State.RETRAINING)
    end = _raise_epochs(app, run, plan)
    if isinstance(end, GiveUp) and plan.space and end.reason in _WORTH_A_SEARCH:
        from epochal.jobs.search.conduct import search  # Optuna takes its time to be imported

        log(f"search: {end.explanation}")
        end = search(app, run, plan, end)
    if isinstance(end, GiveUp):
        end_run(app, run.id, State.EXHAUSTED, end.reason, end.explanation)
        return State.EXHAUSTED
    if end is Ended.INTERRUPTED:
        raise NotOwner(f"Run {run.id} was ended by another process.")
    if end is not Ended.REACHED:
        raise StopRequested(run.id, State(end.value))
    keep_offer(app, run, plan)
    end_run(app, run.id, State.REACHED)
    return State.REACHED


def _raise_epochs(app: App, run: Run, plan: Plan) -> GiveUp | Ended:
    """Train with more epochs, trial by trial, until the threshold is reached or there is no next trial."""
    script = (app.home.run(run.id).code / "nn.py").read_bytes()
    if run.reached:
        return Ended.REACHED
    trial = last_measured(run)  # one that was measured just before the job was killed may still want its verdict
    while trial is None or verdict_of(app, run, plan, trial) is not Verdict.REACHED:
        wanted = wanted_of_next(app, run, plan)
        if isinstance(wanted, GiveUp):
            return wanted
        if trial and trial.forecast is None:
            foresee(app, run, plan, trial, wanted)
        proposal = next_trial(script, app.store.run(run.id).trials, plan.settings.retrain, wanted)
        if isinstance(proposal, GiveUp):
            return proposal
        trial = run_trial(app, run, plan, proposal, start_trial(app, run, proposal))
    return Ended.REACHED
