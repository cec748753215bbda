"""The search of job retrain, from what was learnt before it to its end; and how another process joins it."""

import threading

from epochal.app import App
from epochal.errors import UsageError
from epochal.jobs.active_run import ActiveRun
from epochal.jobs.plan import make_ready, plan_run
from epochal.jobs.search.study import Search, storage_url
from epochal.jobs.search.workers import Workers
from epochal.jobs.strategy import Ended, GiveUp
from epochal.records import Run, State, Strategy, Trial
from epochal.store.owner import BEAT_SECONDS, wait_until_gone
from epochal.store.runs import load_run
from epochal.store.trials import mark_interrupted, other_trainers


def search(active: ActiveRun, why: GiveUp) -> GiveUp | Ended:
    """Search until the threshold is reached, nothing may be tried any more, or the run is to end; returns what ended it.

    ``why``: what ended the raising of epochs. Raises RunFailed for what no other combination would mend.
    """
    database, study = active.app.database, _study(active)
    _learn(study, active.stored)
    workers = Workers(active, study, _most_epochs(active))
    while True:
        end = workers.work()
        if isinstance(end, GiveUp) or end is Ended.REACHED:
            if others := other_trainers(database, active.id):
                _wait_for(active, others[0])
                continue
            if mark_interrupted(database, active.id):  # what died with its process is tried again
                continue
        break
    end = workers.settle(end)
    if isinstance(end, Ended):
        return end
    tried = sum(trial.strategy is Strategy.SEARCH for trial in active.trials)
    told = f"{why.explanation} {tried} other combinations ([search]) did not reach it either. {end.explanation}"
    return GiveUp(end.reason, told)


def join(app: App, number: int) -> None:
    """Take part in the search of run ``number``, which another process conducts, until it is over.

    Raises UsageError where there is no search to join, RunFailed for what no other combination would mend.
    """
    run = load_run(app.database, number)
    if run.state is not State.RETRAINING or not _began(run):
        raise UsageError(f"Run {number} is {run.state} and searches nothing: there is no search to join.")
    active = plan_run(app, run)
    make_ready(active)
    Workers(active, _study(active), _most_epochs(active)).work()


def _study(active: ActiveRun) -> Search:
    storage = storage_url(active.app.settings.database, active.app.home.searches)
    return Search(storage, active.id, active.plan.space, _most_epochs(active))


def _began(run: Run) -> bool:
    return any(trial.strategy is Strategy.SEARCH for trial in run.trials)


def _before(run: Run) -> list[Trial]:
    """The measured trials of a run from before its search."""
    return [trial for trial in run.trials if trial.strategy is not Strategy.SEARCH and trial.accuracy is not None]


def _most_epochs(active: ActiveRun) -> int | None:
    """The most epochs that the committed hyperparameters were given: a search's trials get as many; None: not known."""
    before = _before(active.stored)
    name = active.script.epochs.name if active.script.epochs else ""
    known = [int(trial.hyperparameters[name]) for trial in before if name in trial.hyperparameters]
    return max(known or [trial.epochs for trial in before if trial.epochs], default=None)


def _learn(study: Search, run: Run) -> None:
    """Tell the study what the committed hyperparameters gave, with the most epochs that they were given."""
    last = _before(run)[-1]
    assert last.accuracy is not None
    study.learn(
        last.hyperparameters, last.accuracy.value if last.validation_accuracy is None else last.validation_accuracy
    )


def _wait_for(active: ActiveRun, other: str) -> None:
    wait_until_gone(other)
    if other in other_trainers(
        active.app.database, active.id
    ):  # on another machine, where its beat is all that tells of it
        threading.Event().wait(BEAT_SECONDS)
