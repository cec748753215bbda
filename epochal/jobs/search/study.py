"""The search of one run as an Optuna study, which suggests combinations to try and records their results."""

import itertools
import math
import random
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from epochal.analysis.hyperparameters.constant import Constant
from epochal.jobs.search.space import Dimension
from epochal.records import Value
from epochal.settings import Choices, Range
from epochal.store.owner import live_owner, this_process

_SCHEMA = "optuna"


def storage_url(database: str, default: str) -> str:
    """Return the URL of Optuna's storage: ``database`` with a schema added if that is a PostgreSQL URL, otherwise ``default``.

    ``database``: the URL in the server's settings, which may be empty. In PostgreSQL, Optuna gets a schema named
    ``optuna``, which is created if it is missing. Raises SQLAlchemyError if PostgreSQL does not respond.
    """
    if not database.startswith("postgresql"):
        return default
    engine = create_engine(database)
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}"))
    except (IntegrityError, ProgrammingError):
        pass  # another process created it at the same moment: IF NOT EXISTS is not atomic in PostgreSQL
    finally:
        engine.dispose()
    url = make_url(database).update_query_dict({"options": f"-csearch_path={_SCHEMA}"})
    return url.render_as_string(hide_password=False)


_RANDOM_TRIALS = 5
"""Combinations are drawn at random until the study has this many results, including any from before the search."""
_REDUCTION = 3
"""The reduction factor for pruning: after about 1/9 and 1/3 of the epochs, only the best third of the trials continue."""
_TRIED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
_MAX_DRAWS = 20
_MAX_COMBINATIONS = 10_000
_DIGITS = 3
_TRIAL_NUMBER = "trial"
_ASKED_BY = "asked by"
_FAILED = "failed"
_LONGEST_START = timedelta(minutes=10)
"""The longest time that may pass between asking for a combination and starting its trial.

It includes any wait for the database.
"""


@dataclass(frozen=True)
class Candidate:
    """A combination of hyperparameters to try.

    ``trial``: Optuna's trial. ``changes``: the new value of each searched constant.
    """

    trial: optuna.Trial
    changes: dict[Constant, Value]


class Study:
    """The Optuna study of one run, which is safe to use from several threads and processes."""

    def __init__(self, storage: str, run: int, space: Sequence[Dimension], epochs: int | None) -> None:
        """Open or create the run's study of the search space ``space`` in ``storage`` (an SQLAlchemy URL).

        ``epochs``: the maximum number of epochs of a trial; None if it is unknown, in which case no trial is pruned.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space = {dimension.constant.name: dimension for dimension in space}
        self._distributions = {name: _distribution(dimension.values) for name, dimension in self._space.items()}
        engine_options = {"connect_args": {"timeout": 60}} if storage.startswith("sqlite") else {"pool_pre_ping": True}
        pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
        if epochs is not None:
            first = max(1, epochs // _REDUCTION**2)
            pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=_REDUCTION)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(
                storage=optuna.storages.RDBStorage(storage, engine_kwargs=engine_options),
                sampler=optuna.samplers.TPESampler(n_startup_trials=_RANDOM_TRIALS, multivariate=True),
                pruner=pruner,
                study_name=f"run-{run}",
                direction="maximize",
                load_if_exists=True,
            )

    def add_result(self, values: dict[str, Value], accuracy: float) -> None:
        """Add the ``accuracy`` (0 to 1) of a trial that ran before the search, with the hyperparameters ``values``.

        Do nothing if the values lie outside the search space or the study already has a trial.
        """
        if self._study.get_trials(deepcopy=False) or not self._space.keys() <= values.keys():
            return
        params = {name: values[name] for name in self._space}
        try:
            trial = optuna.trial.create_trial(params=params, distributions=self._distributions, value=accuracy)
        except ValueError:
            return
        self._study.add_trial(trial)

    def ask(self) -> Candidate | None:
        """Return a combination that has not been tried; None if all have been tried.

        Also returns None if _MAX_DRAWS combinations in a row had already been tried and the space cannot be
        enumerated, because it is too large or contains a range of floats.
        """
        for _ in range(_MAX_DRAWS):
            trial = self._ask()
            changes = self._changes(trial.params)
            if not self._was_tried(changes, trial.number):
                return Candidate(trial, changes)
            self._study.tell(trial, state=TrialState.FAIL)
        return self._ask_untried()

    def record_started(self, candidate: Candidate, number: int) -> None:
        """Record that trial ``number`` of the run is trying the candidate's combination."""
        candidate.trial.set_user_attr(_TRIAL_NUMBER, number)

    def should_continue(self, candidate: Candidate, epoch: int, accuracy: float) -> bool:
        """Record a trial's ``accuracy`` (0 to 1) after ``epoch`` epochs, and return whether it should continue."""
        candidate.trial.report(accuracy, epoch)
        return not candidate.trial.should_prune()

    def record_measured(self, candidate: Candidate, accuracy: float) -> None:
        """Record the accuracy (0 to 1) of a trial that has finished."""
        self._study.tell(candidate.trial.number, accuracy, skip_if_finished=True)

    def record_pruned(self, candidate: Candidate) -> None:
        """Record that a trial was stopped because others were better."""
        self._study.tell(candidate.trial.number, state=TrialState.PRUNED, skip_if_finished=True)

    def record_failed(self, candidate: Candidate) -> None:
        """Record that a trial failed because of its hyperparameters, so that their combination is not tried again."""
        candidate.trial.set_user_attr(_FAILED, True)
        self.release(candidate)

    def release(self, candidate: Candidate) -> None:
        """Record that a trial ended without a result, so that its combination may be tried again."""
        self._study.tell(candidate.trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def mark_interrupted(self, interrupted: Iterable[int]) -> None:
        """Record that the run's trials with these numbers were interrupted, so that they may run again.

        Also release any combination requested by a process that died before recording a trial for it.
        """
        numbers = set(interrupted)
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            number = trial.user_attrs.get(_TRIAL_NUMBER)
            if number in numbers or (number is None and _is_abandoned(trial)):
                self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def _ask(self) -> optuna.Trial:
        """Ask Optuna for a new trial, and mark the trial as requested by this process."""
        trial = self._study.ask(self._distributions)
        trial.set_user_attr(_ASKED_BY, [this_process(), time.time()])
        return trial

    def _changes(self, params: dict[str, Any]) -> dict[Constant, Value]:
        """Return each constant's new value from Optuna's ``params``. Floats are rounded to keep the diff readable."""
        changes = {}
        for name, value in params.items():
            values, changed = self._space[name].values, value
            if isinstance(value, float) and isinstance(values, Range):
                if values.step is None:
                    changed = min(max(float(f"{value:.{_DIGITS}g}"), float(values.low)), float(values.high))
                else:
                    changed = float(f"{value:.10g}")
            changes[self._space[name].constant] = changed
        return changes

    def _was_tried(self, changes: dict[Constant, Value], except_number: int | None = None) -> bool:
        """Return whether any trial except Optuna's trial ``except_number`` has tried or is trying these values."""
        return any(
            trial.number != except_number
            and (trial.state in _TRIED or _FAILED in trial.user_attrs)
            and self._changes(trial.params) == changes
            for trial in self._study.get_trials(deepcopy=False)
        )

    def _ask_untried(self) -> Candidate | None:
        """Return a random untried combination, or None if all have been tried or the space cannot be enumerated."""
        choices: list[Sequence[Any]] = []
        for distribution in self._distributions.values():
            if isinstance(distribution, CategoricalDistribution):
                choices.append(distribution.choices)
            elif isinstance(distribution, IntDistribution) and distribution.high - distribution.low < _MAX_COMBINATIONS:
                choices.append(range(distribution.low, distribution.high + 1, distribution.step))
            else:
                return None
        if math.prod(map(len, choices)) > _MAX_COMBINATIONS:
            return None
        combinations = list(itertools.product(*choices))
        random.shuffle(combinations)
        for combination in combinations:
            params = dict(zip(self._distributions, combination, strict=True))
            if not self._was_tried(self._changes(params)):
                self._study.enqueue_trial(params)
                trial = self._ask()
                return Candidate(trial, self._changes(trial.params))
        return None


def _is_abandoned(trial: optuna.trial.FrozenTrial) -> bool:
    """Return whether the process that asked for the trial is dead; False if that is unknown."""
    if _ASKED_BY not in trial.user_attrs:
        return False
    owner, asked = trial.user_attrs[_ASKED_BY]
    # If the process runs on another machine, only the elapsed time shows whether it is dead.
    return live_owner(owner, datetime.fromtimestamp(asked, UTC) + _LONGEST_START) is None


def _distribution(values: Range | Choices) -> BaseDistribution:
    if isinstance(values, Choices):
        return CategoricalDistribution(values.choices)
    if values.is_integer:
        return IntDistribution(int(values.low), int(values.high), log=values.log, step=int(values.step or 1))
    step = None if values.step is None else float(values.step)
    return FloatDistribution(float(values.low), float(values.high), log=values.log, step=step)
