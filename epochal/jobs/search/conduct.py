"""Run the hyperparameter search of job retrain, or join a search that another process runs."""

import threading

from epochal.app import App
from epochal.errors import UsageError
from epochal.jobs.active_run import ActiveRun
from epochal.jobs.plan import make_ready, plan_run
from epochal.jobs.search.study import Search, storage_url
from epochal.jobs.search.workers import Workers
from epochal.jobs.strategy import Ended, GiveUp
from epochal.records import Run, State, Strategy
from epochal.store.owner import BEAT_SECONDS, wait_until_gone
from epochal.store.runs import load_run
from epochal.store.trials import mark_interrupted, other_trainers


def search(active: ActiveRun, why: GiveUp) -> GiveUp | Ended:
    """Search for hyperparameters that reach the threshold, and return what ended the search.

    It is Ended if a trial reached the threshold or the run was stopped, and GiveUp if nothing may be tried any more.
    ``why``: the reason why more epochs would not help, with which the explanation of that GiveUp begins. Raises
    RunFailed for a failure that other hyperparameters cannot fix.
    """
    database = active.app.database
    workers = _open_workers(active, active.load())
    while True:
        end = workers.work()
        if isinstance(end, Ended) and end is not Ended.REACHED:
            break
        if others := other_trainers(database, active.run.id):
            wait_until_gone(others[0])
            if others[0] in other_trainers(
                database, active.run.id
            ):  # on another machine: only its heartbeat shows whether it lives
                threading.Event().wait(BEAT_SECONDS)
        elif not mark_interrupted(database, active.run.id):  # else run trials of dead processes again
            break
    end = workers.settle(end)
    if isinstance(end, Ended):
        return end
    tried = sum(trial.strategy is Strategy.SEARCH for trial in active.load().trials)
    explanation = f"{why.explanation} {tried} other combinations ([search]) did not reach it either. {end.explanation}"
    return GiveUp(end.reason, explanation)


def join(app: App, number: int) -> None:
    """Train trials in the search of run ``number``, which another process started, until the search is over.

    Raises UsageError if there is no search to join, and RunFailed for a failure that other hyperparameters
    cannot fix.
    """
    run = load_run(app.database, number)
    if run.state is not State.RETRAINING or not any(trial.strategy is Strategy.SEARCH for trial in run.trials):
        raise UsageError(f"Run {number} is {run.state} and searches nothing: there is no search to join.")
    active = plan_run(app, run)
    make_ready(active)
    _open_workers(active, active.load()).work()  # load the run again, because make_ready may take long


def _open_workers(active: ActiveRun, run: Run) -> Workers:
    """Open the study of a run, add the result of the pushed hyperparameters, and return workers for it."""
    before = [trial for trial in run.trials if trial.strategy is not Strategy.SEARCH and trial.accuracy is not None]
    # A trial of the search gets as many epochs as the longest trial before the search; None if that is not known.
    name = active.script.epochs.name if active.script.epochs else ""
    known = [int(trial.hyperparameters[name]) for trial in before if name in trial.hyperparameters]
    epochs = max(known or [trial.epochs for trial in before if trial.epochs], default=None)
    storage = storage_url(active.app.settings.database, active.app.home.searches)
    study = Search(storage, run.id, active.plan.space, epochs)
    last = before[-1]
    assert last.accuracy is not None
    value = last.accuracy.value if last.validation_accuracy is None else last.validation_accuracy
    study.learn(last.hyperparameters, value)
    return Workers(active, study, epochs)
