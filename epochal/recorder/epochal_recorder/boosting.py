"""Count the boosting rounds of XGBoost and LightGBM in the function ``train``, which their estimators also call."""

import functools
import inspect
import itertools

from .measuring import shared_state

_MAX_EVENTS = 2000
_trainings = itertools.count()


def observe(module, out, **_):
    """Patch ``train`` in ``module`` (``xgboost.training`` or ``lightgbm.engine``). ``out``: the folder for events."""
    shared, train = shared_state(out), module.train
    signature = inspect.signature(train)
    # XGBoost's callbacks must be instances of this class; LightGBM's are functions.
    counter_class = type("Counter", (_Counter, getattr(module, "TrainingCallback", object)), {})

    @functools.wraps(train)
    def wrapper(*args, **kwargs):
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return train(*args, **kwargs)  # raises the error that the script would see without the recorder
        bound.apply_defaults()
        counter = counter_class(bound.arguments["num_boost_round"])
        bound.arguments["callbacks"] = [counter, *(bound.arguments["callbacks"] or ())]
        booster = train(*bound.args, **bound.kwargs)
        with shared.output.recording_faults():
            if next(_trainings) < _MAX_EVENTS:
                name = module.__name__.partition(".")[0]
                shared.output.write_event(event="iterations", of=name, trained=counter.rounds, limit=counter.limit)
        return booster

    module.train = wrapper


class _Counter:
    """A callback that counts rounds. It runs first: once a callback ends training, later ones are not called.

    ``limit``: the number of rounds unless training stops early.
    """

    def __init__(self, limit):
        self.limit = limit
        self.rounds = 0
        self.order = -1_000_000

    def after_iteration(self, *_):
        self.rounds += 1
        return False

    def __call__(self, env):
        # LightGBM also reads the number of rounds from params.
        self.limit = env.end_iteration - env.begin_iteration
        self.rounds += 1
