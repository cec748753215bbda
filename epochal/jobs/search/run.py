"""Run the hyperparameter search of the retrain job, or join a search that another process is running."""

import threading
from collections.abc import Sequence

from epochal.app import App
from epochal.errors import Reason, UsageError
from epochal.grammar import join_words, plural
from epochal.jobs.active_run import ActiveRun
from epochal.jobs.epochs import choose_epochs
from epochal.jobs.plan import check_imports, plan_run, prepare_environment
from epochal.jobs.search.space import Dimension
from epochal.jobs.search.study import Study, storage_url
from epochal.jobs.search.workers import Workers
from epochal.jobs.strategy import EndCause, GiveUp
from epochal.records import Run, State, Strategy, Trial, TrialState
from epochal.settings import Choices
from epochal.store.owner import HEARTBEAT_SECONDS, wait_until_gone
from epochal.store.runs import load_run
from epochal.store.trials import mark_interrupted, other_trainers


def run_search(active: ActiveRun, give_up: GiveUp) -> GiveUp | EndCause:
    """Search for hyperparameters that reach the threshold, and return why the search ended.

    The result is an EndCause if a trial reached the threshold or the run was stopped, and a GiveUp if no more trials
    may start. ``give_up``: why more epochs would not help; a returned GiveUp includes this. Raises RunFailed for a
    failure that other hyperparameters cannot fix.
    """
    database = active.app.database
    workers = _open_workers(active, active.load())
    while True:
        end = workers.work()
        if isinstance(end, EndCause) and end is not EndCause.REACHED:
            break
        if others := other_trainers(database, active.run.id):
            wait_until_gone(others[0])
            if others[0] in other_trainers(
                database, active.run.id
            ):  # on another machine: only its heartbeat shows whether it is alive
                threading.Event().wait(HEARTBEAT_SECONDS)
        elif not mark_interrupted(database, active.run.id):  # else run trials of dead processes again
            break
    end = workers.finish(end)
    if isinstance(end, EndCause):
        return end
    trials = [trial for trial in active.load().trials if trial.strategy is Strategy.SEARCH]
    bad = _find_bad_choices(trials, active.plan.space)
    count = f"{plural(len(trials), 'trial')}{_describe_failures(trials, bad)}"
    cause = f"{end.cause} The search ran {count}. Before the search, training for more epochs was ruled out: {give_up.cause}"
    replace = (
        f"In [search], remove or replace {join_words(bad)}, because every trial with such a value failed. "
        if bad
        else ""
    )
    return GiveUp(end.reason, cause, f"{replace}{end.remedy or end.reason.remedy}")


def _find_bad_choices(trials: Sequence[Trial], space: Sequence[Dimension]) -> list[str]:
    """Return the choices, such as ``kernel = tiny``, for which every trial failed.

    If the search changes several constants, a choice is returned only if at least two trials used it. A trial that
    failed only because its test rows had changed does not count as failed.
    """
    least = 1 if len(space) == 1 else 2
    return [
        f"{dimension.constant.name} = {choice}"
        for dimension in space
        if isinstance(dimension.values, Choices)
        for choice in dimension.values.choices
        if len(tried := [each for each in trials if each.hyperparameters.get(dimension.constant.name) == choice])
        >= least
        and all(_has_failed(each) and each.reason is not Reason.TEST_SET_CHANGED for each in tried)
    ]


def _has_failed(trial: Trial) -> bool:
    return trial.state is TrialState.FAILED and trial.reason is not Reason.INTERRUPTED


def _describe_failures(trials: Sequence[Trial], bad: Sequence[str]) -> str:
    """Return how many trials failed, as in `` (3 failed, including all with kernel = tiny)``; empty if none failed."""
    failed = sum(map(_has_failed, trials))
    if not failed:
        return ""
    return f" ({failed} failed{', including all with ' + join_words(bad, 'or') if bad else ''})"


def join(app: App, number: int) -> None:
    """Run trials for the search that another process started in run ``number``, until the search is over.

    Raises UsageError if there is no search to join, and RunFailed for a failure that other hyperparameters
    cannot fix.
    """
    run = load_run(app.database, number)
    if run.state is not State.RETRAINING or not any(trial.strategy is Strategy.SEARCH for trial in run.trials):
        raise UsageError(f"Run {number} is in the state '{run.state}'; there is no search to join.")
    active = plan_run(app, run)
    check_imports(active, prepare_environment(active))
    _open_workers(active, active.load()).work()  # load the run again, because prepare_environment may take a long time


def _open_workers(active: ActiveRun, run: Run) -> Workers:
    """Return workers for a run's study, after adding the result of the last trial that preceded the search."""
    earlier_trials = [
        trial for trial in run.trials if trial.strategy is not Strategy.SEARCH and trial.accuracy is not None
    ]
    # A trial of the search gets the number of epochs of the longest trial before the search; None if that is unknown.
    raised = choose_epochs(active).epochs
    epoch_counts = [raised.number_in(trial.hyperparameters) for trial in earlier_trials] if raised else []
    epochs = max(epoch_counts or [trial.epochs for trial in earlier_trials if trial.epochs], default=None)
    storage = storage_url(active.app.settings.database, active.app.home.optuna_url)
    study = Study(storage, run.id, active.plan.space, epochs)
    last = earlier_trials[-1]
    assert last.accuracy is not None
    value = last.accuracy.value if last.validation_accuracy is None else last.validation_accuracy
    study.add_result(last.hyperparameters, value)
    return Workers(active, study, epochs)
