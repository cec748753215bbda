"""The retrain job: run more trials until one reaches the threshold, nothing is left to try, or the budget is spent."""

from epochal.app import App
from epochal.errors import Reason
from epochal.jobs.active_run import ActiveRun
from epochal.jobs.epochs import choose_epochs
from epochal.jobs.finish import end_run
from epochal.jobs.log import log
from epochal.jobs.plan import plan_run, prepare_run
from epochal.jobs.reuse import store_offered_fingerprint
from epochal.jobs.strategy import EndCause, GiveUp, advise_at_chance, next_trial
from epochal.jobs.trial import run_trial, start_trial
from epochal.jobs.verdict import next_target, record_forecast, record_verdict
from epochal.records import Run, State, Verdict
from epochal.results.divergence import parse_divergence
from epochal.results.outputs import read_metrics
from epochal.store.errors import NotOwner, StopRequested

_SEARCH_REASONS = frozenset(
    {Reason.LEVELS_OFF, Reason.LOSS_NOT_FINITE, Reason.NO_EPOCHS, Reason.EPOCHS_UNCHANGED}
    | {Reason.STOPS_ITSELF, Reason.NO_IMPROVEMENT, Reason.MAX_EPOCHS}
)
"""If Epochal stops raising the number of epochs for one of these reasons, a search may still help."""


def retrain(app: App, run: Run) -> State:
    """Train with more epochs, then search for better hyperparameters if needed; end the run, and queue its email.

    The run ends in state REACHED or EXHAUSTED. Raises RunFailed if training fails or the accuracy cannot be measured,
    StopRequested if the run was cancelled or superseded, and NotOwner if another process ended it.
    """
    active = plan_run(app, run)
    prepare_run(active, State.RETRAINING)
    end = _raise_epochs(active)
    if isinstance(end, GiveUp) and active.plan.space and end.reason in _SEARCH_REASONS:
        from epochal.jobs.search.run import run_search  # imported here, because importing Optuna is slow

        log(active.script.name_cells(f"search: {end.cause}"))
        end = run_search(active, end)
    if isinstance(end, GiveUp):
        end = advise_at_chance(end, active.load().trials)
        end_run(app, run.id, State.EXHAUSTED, end.reason, active.script.name_cells(end.explanation))
        return State.EXHAUSTED
    if end is EndCause.INTERRUPTED:
        raise NotOwner(f"Run {run.id} was ended by another process.")
    if end is not EndCause.REACHED:
        raise StopRequested(run.id, State(end.value))
    store_offered_fingerprint(active)
    end_run(app, run.id, State.REACHED)
    return State.REACHED


def _raise_epochs(active: ActiveRun) -> GiveUp | EndCause:
    """Run trials with more and more epochs until one reaches the threshold or there is a reason to give up."""
    run = active.load()  # a process that joined the search may have reached the threshold
    if run.reached:
        return EndCause.REACHED
    trial = run.last_measured  # it has no verdict if an earlier job was killed right after measuring it
    while trial is None or record_verdict(active, trial) is not Verdict.REACHED:
        if trial and (divergence := parse_divergence(read_metrics(active.folder.trial(trial.number).metrics))):
            return GiveUp(Reason.LOSS_NOT_FINITE, divergence.cause, divergence.remedy)
        target = next_target(active)
        if isinstance(target, GiveUp):
            return target
        if trial and trial.forecast is None:
            record_forecast(active, trial, target)
        choice = choose_epochs(active)
        if trial and (raised := choice.ineffective.get(trial.number)):
            effect = "make training longer" if choice.epochs_counted else "change the accuracy"
            log(active.script.name_cells(f"trial {trial.number}: raising {raised.describe()} did not {effect}"))
        framework, settings = active.plan.code.detection.framework, active.plan.settings.retrain
        proposal = next_trial(active.script, framework, active.load().trials, settings, target, choice)
        if isinstance(proposal, GiveUp):
            return proposal
        trial = run_trial(active, start_trial(active, proposal))
    return EndCause.REACHED
