"""One run's search in Optuna: what is asked, what is told, where it is kept."""

import itertools
import math
import random
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from epochal.analysis.hyperparameters import Constant
from epochal.jobs.search.space import Dimension
from epochal.records import Value
from epochal.settings import Choices, Range

_SCHEMA = "optuna"


def storage_url(database: str, of_home: str) -> str:
    """The URL of Optuna's storage: ``of_home``, or in the PostgreSQL ``database``, whose schema is made if it is missing.

    ``database``: the server's own URL; empty: SQLite in its home. Raises SQLAlchemyError where it does not answer.
    """
    if not database.startswith("postgresql"):
        return of_home
    _make_schema(database)
    url = make_url(database).update_query_dict({"options": f"-csearch_path={_SCHEMA}"})
    return url.render_as_string(hide_password=False)


def _make_schema(database: str) -> None:
    engine = create_engine(database)
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}"))
    except (IntegrityError, ProgrammingError):
        pass  # another process made it at the same moment: PostgreSQL's IF NOT EXISTS is not atomic
    finally:
        engine.dispose()


_RANDOM_TRIALS = 5
"""So many combinations are drawn at random before the estimators have a say."""
_REDUCTION = 3
"""Of so many trials that have come as far one goes on."""
_TRIED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
_FRESH_DRAWS = 20
_MOST_COMBINATIONS = 10_000
_DIGITS = 3
_OWN_NUMBER = "trial"
_FAILED = "failed"


@dataclass(frozen=True)
class Candidate:
    """A combination to be tried: Optuna's trial, and what each constant becomes."""

    trial: optuna.Trial
    changes: dict[Constant, Value]


class Search:
    """The search of one run over ``space``. Safe to use from several threads and several processes."""

    def __init__(self, storage: str, run: int, space: Sequence[Dimension], epochs: int | None) -> None:
        """Open the run's study in ``storage`` (an SQLAlchemy URL), or make it.

        ``epochs``: how many a trial trains at the most; None where it is not known, and nothing is pruned then.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space = {dimension.constant.name: dimension for dimension in space}
        self._distributions = {name: _distribution(dimension) for name, dimension in self._space.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(
                storage=_storage(storage),
                sampler=optuna.samplers.TPESampler(n_startup_trials=_RANDOM_TRIALS, multivariate=True),
                pruner=_pruner(epochs),
                study_name=f"run-{run}",
                direction="maximize",
                load_if_exists=True,
            )

    @property
    def constants(self) -> list[Constant]:
        """What is searched."""
        return [dimension.constant for dimension in self._space.values()]

    def learn(self, values: dict[str, Value], accuracy: float) -> None:
        """Tell what was measured before the search began: ``accuracy`` (0 to 1) with these hyperparameters.

        What lies outside of the space is of no use to it and is passed over.
        """
        if self._study.get_trials(deepcopy=False) or not self._space.keys() <= values.keys():
            return
        known = {name: values[name] for name in self._space}
        try:
            trial = optuna.trial.create_trial(params=known, distributions=self._distributions, value=accuracy)
        except ValueError:
            return
        self._study.add_trial(trial)

    def ask(self) -> Candidate | None:
        """A combination that was not tried yet; None where all of them were."""
        for _ in range(_FRESH_DRAWS):
            trial = self._study.ask(self._distributions)
            changes = self._changes(trial.params)
            if not self._was_tried(changes, trial.number):
                return Candidate(trial, changes)
            self._study.tell(trial, state=TrialState.FAIL)
        return self._ask_for_what_is_left()

    def started(self, candidate: Candidate, number: int) -> None:
        """The candidate is the run's trial ``number`` now."""
        candidate.trial.set_user_attr(_OWN_NUMBER, number)

    def should_continue(self, candidate: Candidate, epoch: int, accuracy: float) -> bool:
        """Whether a trial whose accuracy (0 to 1) is this after ``epoch`` (from 1) is among the better ones so far."""
        candidate.trial.report(accuracy, epoch)
        return not candidate.trial.should_prune()

    def measured(self, candidate: Candidate, accuracy: float) -> None:
        """A trial has come to its end, with this accuracy (0 to 1)."""
        self._study.tell(candidate.trial.number, accuracy, skip_if_finished=True)

    def pruned(self, candidate: Candidate) -> None:
        """A trial was stopped, for others did better."""
        self._study.tell(candidate.trial.number, state=TrialState.PRUNED, skip_if_finished=True)

    def failed(self, candidate: Candidate) -> None:
        """A trial has failed by a fault of its own: the combination is not tried again."""
        candidate.trial.set_user_attr(_FAILED, True)
        self._study.tell(candidate.trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def released(self, candidate: Candidate) -> None:
        """A trial was not trained, or not to its end, by no fault of its own: it may be tried again."""
        self._study.tell(candidate.trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def mark_interrupted(self, interrupted: Iterable[int]) -> None:
        """The run's trials with these numbers died with the processes that trained them."""
        numbers = set(interrupted)
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if trial.user_attrs.get(_OWN_NUMBER) in numbers:
                self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def _changes(self, params: dict[str, Any]) -> dict[Constant, Value]:
        return {self._space[name].constant: _readable(value, self._space[name]) for name, value in params.items()}

    def _was_tried(self, changes: dict[Constant, Value], own: int | None = None) -> bool:
        """Whether a trial other than Optuna's number ``own`` has, or had, these values."""
        others = (trial for trial in self._study.get_trials(deepcopy=False) if trial.number != own and _counts(trial))
        return any(self._changes(trial.params) == changes for trial in others)

    def _ask_for_what_is_left(self) -> Candidate | None:
        """One of the combinations of a small space that nobody tried, drawn at random; None if there is none."""
        choices = [_all_values(distribution) for distribution in self._distributions.values()]
        if any(values is None for values in choices):
            return None
        if math.prod(len(values) for values in choices if values) > _MOST_COMBINATIONS:
            return None
        combinations = list(itertools.product(*(values for values in choices if values)))
        random.shuffle(combinations)
        for combination in combinations:
            params = dict(zip(self._distributions, combination, strict=True))
            if not self._was_tried(self._changes(params)):
                self._study.enqueue_trial(params)
                trial = self._study.ask(self._distributions)
                return Candidate(trial, self._changes(trial.params))
        return None


def _storage(url: str) -> optuna.storages.RDBStorage:
    waiting = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    return optuna.storages.RDBStorage(url, engine_kwargs=waiting)


def _pruner(epochs: int | None) -> optuna.pruners.BasePruner:
    if epochs is None:
        return optuna.pruners.NopPruner()
    first = max(1, epochs // _REDUCTION**2)
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=_REDUCTION)


def _distribution(dimension: Dimension) -> BaseDistribution:
    values = dimension.values
    if isinstance(values, Choices):
        return CategoricalDistribution(values.choices)
    if values.whole:
        return IntDistribution(int(values.low), int(values.high), log=values.log, step=int(values.step or 1))
    step = None if values.step is None else float(values.step)
    return FloatDistribution(float(values.low), float(values.high), log=values.log, step=step)


def _all_values(distribution: BaseDistribution) -> list[Any] | None:
    """Every value of a distribution that has few; None of one that has not."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution) and distribution.high - distribution.low < _MOST_COMBINATIONS:
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    return None


def _readable(value: Value, dimension: Dimension) -> Value:
    """A number that is drawn has more digits than anybody tunes, and is to be read in a diff."""
    values = dimension.values
    if not isinstance(value, float) or not isinstance(values, Range):
        return value
    if values.step is not None:
        return float(f"{value:.10g}")
    return min(max(float(f"{value:.{_DIGITS}g}"), float(values.low)), float(values.high))


def _counts(trial: FrozenTrial) -> bool:
    return trial.state in _TRIED or _FAILED in trial.user_attrs
