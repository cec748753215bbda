"""Find the literals that may set the number of epochs in the pushed code, the most likely first."""

import ast
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from epochal.analysis.hyperparameters.constant import Constant
from epochal.analysis.hyperparameters.definitions import Label, label_argument, read_keys
from epochal.analysis.hyperparameters.tracing import Traced, Tracer
from epochal.analysis.hyperparameters.unit import Unit, position
from epochal.analysis.syntax import last_name
from epochal.records import Value

_EPOCHS_NAME = re.compile(
    r"(?:n|nb|no|num|number|of|max|total|train|training)*epochs?(?:n|num|number|count|max|total)?"
)
_STEPS_NAME = re.compile(r"(?:n|num|max|total|train|training|maxtrain|numtrain)(?:steps|iters?|iterations)|iterations")
_FIT_METHODS = {"fit": 3, "fit_generator": 2}
"""The position of epochs in fit(x, y, batch_size, epochs) and fit_generator(generator, steps_per_epoch, epochs)."""
_ORDINALS = {2: "third", 3: "fourth"}
_FIRST_ARGUMENT = frozenset({"fit_one_cycle", "fine_tune", "fit_flat_cos"})
"""The fastai methods whose first argument is the number of epochs."""
_FIT_ARGUMENTS = "fit_kwargs"
"""The argument of keras.wrappers.SKLearnClassifier and similar classes that contains the arguments for fit()."""
_WRAPPERS = frozenset({"SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"})
_FIT_ARGUMENTS_POSITION = 3
"""The position of fit_kwargs in a call that creates one of the wrappers."""
_LIGHTGBM_ROUNDS = (
    "n_estimators",
    "num_boost_round",
    "num_iterations",
    "num_iteration",
    "n_iter",
    "num_trees",
    "num_tree",
    "num_rounds",
    "num_round",
)
"""LightGBM's names for the parameter that sets the number of rounds."""
_ITERATIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("MLPClassifier", "MLPRegressor", "SGDClassifier", "SGDRegressor", "Perceptron"), ("max_iter",)),
    **dict.fromkeys(("PassiveAggressiveClassifier", "LogisticRegression", "LinearSVC", "SVC"), ("max_iter",)),
    **dict.fromkeys(("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"), ("max_iter",)),
    **dict.fromkeys(("GradientBoostingClassifier", "GradientBoostingRegressor"), ("n_estimators",)),
    **dict.fromkeys(("XGBClassifier", "XGBRegressor", "XGBRanker"), ("n_estimators",)),
    **dict.fromkeys(("LGBMClassifier", "LGBMRegressor", "LGBMRanker"), _LIGHTGBM_ROUNDS),
}
"""For each estimator class, the arguments that set the number of iterations or boosting rounds."""
_SOLVERS = frozenset({"LogisticRegression", "LinearSVC", "SVC"})
"""Estimators that train until they converge, so their number of iterations should not be set to a number of epochs."""
_STEPS_ARGUMENTS = {"train": ("steps", "max_steps"), **_ITERATIONS}
"""For each function or class, the arguments that set the number of training steps.

For functions and classes not listed, these are ``max_steps`` and ``max_train_steps``. ``train`` is a method of
TensorFlow's estimators.
"""
_BOOSTING = frozenset({"xgboost", "lightgbm"})
"""Packages whose train(params, data, num_boost_round) trains a model."""
_ROUNDS_POSITION = 2
_TRAINING_CALLS = frozenset(
    {"backward", "step", "train_on_batch", "apply_gradients", "train_step", "zero_grad", "partial_fit", "fit", "train"}
    | {"train_epoch", "train_one_epoch", "minimize", "update", "apply_updates", "GradientTape", "training_step"}
)
"""Names of functions that a loop over epochs typically calls, directly or in a nested loop."""
_TRAINING_OPERATION = re.compile(r"train|optim|minimi[sz]e", re.IGNORECASE)
_LEARNING_RATE = re.compile(r"learn(?:ing)?_?rate|lr|eta|alpha|step_?size", re.IGNORECASE)
_REPEATS = re.compile(
    r"(?:random_?)?(?:seed|state)s?|rs|(?:k_?|outer_?|inner_?)?folds?|splits?|rep|repeats?|repetitions?|trials?|runs?"
)
"""Matches the variables of loops that train from scratch with a new split or seed each time."""
_SPLITS = frozenset({"train_test_split", "random_split", "split_dataset"})
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
_RANGES = frozenset({"range", "trange", "xrange", "arange", "prange"})
_MAX_CANDIDATES = 8


@dataclass(frozen=True)
class Epochs:
    """A literal that may set the number of epochs, which is ``factor`` times the literal plus ``offset``.

    ``constant``: the literal, with its file, line and value, and a description of its location. ``is_used``: whether it
    was found to set the number of epochs of a call or loop that trains; if false, only its name suggests that it does.
    """

    constant: Constant
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    is_used: bool = True

    @property
    def name(self) -> str:
        """The literal's name in a trial's hyperparameters."""
        return self.constant.name

    def describe(self) -> str:
        """Return the literal and its location, as in ``epochs = 20 on line 3 of nn.py``."""
        constant = self.constant
        return f"{constant.name.partition(' (')[0]} = {constant.value} on line {constant.line} of {constant.path}"

    @property
    def number(self) -> int:
        """The number of epochs that the pushed code trains for."""
        return self.number_with(self.constant.value)

    def number_with(self, value: Value) -> int:
        """Return the number of epochs that the code would train for if the literal had this value."""
        return int(self.factor * int(value) + self.offset)

    def number_in(self, hyperparameters: Mapping[str, Value]) -> int:
        """Return the number of epochs that a trial with these hyperparameters trains for."""
        return self.number_with(hyperparameters.get(self.name, self.constant.value))

    def value_for(self, number: int) -> int:
        """Return the smallest value of the literal that makes the code train for at least ``number`` epochs."""
        return math.ceil((number - self.offset) / self.factor)


def find_epochs(tracer: Tracer) -> tuple[Epochs, ...]:
    """Return the literals that may set the number of epochs, the most likely first; no two have the same name.

    First come the literals that a training call or loop uses as its number of epochs or steps, then others whose names
    suggest such a number.
    """
    finder = _Finder(tracer)
    found: dict[tuple[str, int], Epochs] = {}
    for is_used, candidates in ((True, finder.find_used()), (False, finder.find_named())):
        for traced in candidates:
            number = traced.factor * int(traced.constant.value) + traced.offset
            if number >= 1 and traced.factor > 0 and len(found) < _MAX_CANDIDATES:
                place = traced.constant.path, traced.constant.start
                found.setdefault(place, Epochs(traced.constant, traced.factor, traced.offset, is_used))
    return tuple(_rename(list(found.values())))


def is_epochs_name(name: str) -> bool:
    """Return whether ``name`` is a common name for a number of epochs."""
    plain = re.sub(r"[^a-z]", "", name.lower())
    return bool(_EPOCHS_NAME.fullmatch(plain))


def find_iterations_argument(call: ast.Call) -> str:
    """Return the name of an argument that ``call`` could pass to set an estimator's number of iterations.

    The result is empty if the call already passes such an argument or passes ``**`` arguments, or if it does not create
    an estimator whose iterations count as epochs.
    """
    name = last_name(call.func)
    arguments = _ITERATIONS.get(name, ()) if name not in _SOLVERS else ()
    passed = {keyword.arg for keyword in call.keywords}
    return arguments[0] if arguments and passed.isdisjoint({*arguments, None}) else ""


def _is_steps_name(name: str) -> bool:
    """Return whether ``name`` is a common name for a number of training steps."""
    return bool(_STEPS_NAME.fullmatch(re.sub(r"[^a-z]", "", name.lower())))


def _rename(found: list[Epochs]) -> Iterator[Epochs]:
    """Make the names unique: if several literals have the same name, append the location to all names but the first."""
    seen: set[str] = set()
    for each in found:
        constant = each.constant
        name = constant.name
        if name in seen:
            name = f"{constant.name} ({constant.path} line {constant.line})"
        if name not in seen:
            seen.add(name)
            yield replace(each, constant=replace(constant, name=name))


class _Finder:
    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def find_used(self) -> Iterator[Traced]:
        """Yield the literals that set the number of epochs or training steps, the most likely first.

        Literals in ``fit`` calls come first, then those in other calls, those in loops, and those that set step counts.
        Literals in code that the script does not run, such as functions that nothing calls, come last.
        """
        for runs in (True, False):
            for search in (self._in_fits, self._in_calls, self._in_loops, self._in_steps):
                for unit in self._tracer.units.values():
                    yield from search(unit, [node for node in unit.nodes if (node in self._tracer.running) is runs])

    def find_named(self) -> Iterator[Traced]:
        """Yield the literals that set a variable, attribute, key or option whose name suggests epochs or steps."""
        yield from self._by_name(is_epochs_name)
        yield from self._by_name(_is_steps_name)

    def _by_name(self, matches: Callable[[str], bool]) -> Iterator[Traced]:
        tracer = self._tracer
        for unit in tracer.units.values():
            for scope, name in unit.names():
                # A variable called epoch is a counter, not a number of epochs.
                if matches(name) and name.lower() != "epoch" and not isinstance(scope, ast.ClassDef):
                    yield from tracer.trace_variable(unit, scope, name)
        for name, definitions in tracer.definitions.items():
            for definition in definitions if matches(name) else ():
                yield from tracer.trace(definition.unit, definition.value, definition.label)
        for constant in tracer.config_constants:
            if matches(constant.name) and type(constant.value) is int:
                yield Traced(constant)

    def _in_fits(self, unit: Unit, nodes: list[ast.AST]) -> Iterator[Traced]:
        """Yield the epoch counts in ``fit`` calls, last call first: earlier ones often train only part of a model."""
        for call in _find_calls(nodes):
            name = last_name(call.func)
            if name not in _FIT_METHODS or not isinstance(call.func, ast.Attribute):
                continue
            epochs = next(
                (each.value for each in call.keywords if _parameter_name(each) in ("epochs", "nb_epoch")), None
            )
            place = f"the epochs argument of {name}()"
            index = _FIT_METHODS[name]
            if epochs is None and len(call.args) > index:
                epochs, place = call.args[index], f"the {_ORDINALS[index]} argument of {name}()"
            loop = self._find_loop_of_fits(unit, call, epochs)
            if loop is not None:
                yield from self._trace_loop(unit, loop)
            if loop is not None and self._counts_epochs(unit, loop):
                continue
            if epochs is not None:
                yield from self._tracer.trace(unit, epochs, Label("epochs", "fit.epochs", place))
            elif stars := [each.value for each in call.keywords if each.arg is None]:
                yield from self._tracer.trace_key(unit, stars[0], "epochs")

    def _find_loop_of_fits(self, unit: Unit, call: ast.Call, epochs: ast.expr | None) -> ast.For | None:
        """Return the loop around ``call`` if each iteration trains the same model for one more epoch; else None."""
        loop = next((each for each in unit.ancestors(call) if isinstance(each, ast.For)), None)
        if loop is None or unit.function(loop) is not unit.function(call) or _find_range(loop.iter) is None:
            return None
        if _repeats_training(loop):
            return None
        passes = {each.id for each in ast.walk(loop.target) if isinstance(each, ast.Name)}
        names = {each.id for each in ast.walk(epochs) if isinstance(each, ast.Name)} if epochs else set()
        one_more = epochs is None or self._tracer.evaluate(unit, epochs) == 1 or bool(passes & names)
        model = _base_name(call.func)
        made_in_loop = any(
            isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store) and each.id == model
            for statement in loop.body
            for each in ast.walk(statement)
        )
        return loop if one_more and model and not made_in_loop else None

    def _in_calls(self, unit: Unit, nodes: list[ast.AST]) -> Iterator[Traced]:
        """Yield literals that seem to be numbers of epochs in calls other than ``fit`` (``Trainer(max_epochs=5)``)."""
        for call in _find_calls(nodes):
            name = last_name(call.func)
            if name in _FIT_METHODS or name == "print":
                continue
            if name in _FIRST_ARGUMENT and call.args:
                yield from self._tracer.trace(unit, call.args[0], label_argument(name, "epochs", "first"))
            for keyword in sorted(call.keywords, key=lambda each: each.arg != f"fit__{_parameter_name(each)}"):
                if keyword.arg and is_epochs_name(_parameter_name(keyword)):
                    yield from self._tracer.trace(unit, keyword.value, label_argument(name, keyword.arg))
            for passed in _find_fit_arguments(call):
                yield from self._tracer.trace_key(unit, passed, "epochs")

    def _in_steps(self, unit: Unit, nodes: list[ast.AST]) -> Iterator[Traced]:
        """Yield the literals that set the number of training steps, estimator iterations or boosting rounds."""
        for call in _find_calls(nodes):
            name = last_name(call.func)
            arguments = _STEPS_ARGUMENTS.get(name, ("max_steps", "max_train_steps"))
            if name in ("train", "cv") and _base_name(call.func) in _find_boosting(unit):
                arguments = ("num_boost_round",)
                # For LightGBM, the number in params takes precedence over the argument.
                params = [each.value for each in call.keywords if each.arg == "params"] or call.args[:1]
                for key in _LIGHTGBM_ROUNDS if params else ():
                    yield from self._tracer.trace_key(unit, params[0], key)
                if len(call.args) > _ROUNDS_POSITION:
                    label = label_argument(name, arguments[0], _ORDINALS[_ROUNDS_POSITION])
                    yield from self._tracer.trace(unit, call.args[_ROUNDS_POSITION], label)
            for argument in arguments:
                for keyword in call.keywords:
                    if keyword.arg == argument:
                        yield from self._tracer.trace(unit, keyword.value, label_argument(name, argument))
                    elif keyword.arg is None and name in _ITERATIONS:
                        yield from self._tracer.trace_key(unit, keyword.value, argument)

    def _in_loops(self, unit: Unit, nodes: list[ast.AST]) -> Iterator[Traced]:
        """Yield the literals that set how many times a loop runs.

        Loops that seem to count epochs come first, then other loops that train.
        """
        loops = sorted((each for each in nodes if isinstance(each, ast.For | ast.While)), key=position)
        named = [each for each in loops if self._counts_epochs(unit, each)]
        # If loops that train are nested, the outermost one most likely counts epochs.
        inner = _find_inner(unit, loops)
        training = [loop for loop in loops if _trains(loop) and loop not in named and loop not in inner]
        training = [loop for loop in training if not _repeats_training(loop)]
        for loop in [*sorted(named, key=lambda each: not _trains(each)), *training]:
            yield from self._trace_loop(unit, loop)

    def _find_passes(self, unit: Unit, loop: ast.For) -> ast.Call | None:
        """Return the call to ``range`` that a loop iterates over, directly or through a variable."""
        return _find_range(self._tracer.resolve(unit, loop.iter))

    def _counts_epochs(self, unit: Unit, loop: ast.For | ast.While) -> bool:
        """Return whether a loop seems to count epochs, judging by a name in its header, such as its variable."""
        heads: list[ast.expr | None] = (
            [loop.test] if isinstance(loop, ast.While) else [loop.target, self._find_passes(unit, loop)]
        )
        nodes = [each for head in heads if head is not None for each in ast.walk(head)]
        names = [last_name(each) for each in nodes if isinstance(each, ast.Name | ast.Attribute)]
        return any(is_epochs_name(name) or name == "ep" for name in names)

    def _trace_loop(self, unit: Unit, loop: ast.For | ast.While) -> Iterator[Traced]:
        label = Label("epochs", "range.epochs", f"the loop on line {loop.lineno}")
        if isinstance(loop, ast.While):
            yield from self._trace_condition(unit, loop.test, label)
        head = self._find_passes(unit, loop) if isinstance(loop, ast.For) else None
        if head is None or not head.args:
            for each in ast.walk(loop):
                if isinstance(each, ast.If) and any(isinstance(inner, ast.Break) for inner in each.body):
                    yield from self._trace_condition(unit, each.test, label)
            return
        stop, start = head.args[0], Fraction(0)
        if len(head.args) > 1:
            stop = head.args[1]
            first = self._tracer.evaluate(unit, head.args[0])
            start = Fraction(first) if isinstance(first, int) else start
        for traced in self._tracer.trace(unit, stop, label):
            yield Traced(traced.constant, traced.factor, traced.offset - start)

    def _trace_condition(self, unit: Unit, test: ast.expr, label: Label) -> Iterator[Traced]:
        """Yield the literals that set the limit in the condition of a loop or ``break``, such as ``epoch < epochs``."""
        for each in ast.walk(test):
            if isinstance(each, ast.Compare) and isinstance(each.ops[0], _COMPARISONS):
                names = last_name(each.left), last_name(each.comparators[0])
                if any(map(is_epochs_name, names)):
                    yield from self._tracer.trace(unit, each.comparators[0], label)


def _find_calls(nodes: list[ast.AST]) -> list[ast.Call]:
    """Return the calls among ``nodes``, in reverse source order."""
    return sorted((each for each in nodes if isinstance(each, ast.Call)), key=position, reverse=True)


def _parameter_name(argument: ast.keyword) -> str:
    """Return the name of the parameter that an argument sets, even in an inner estimator: ``epochs`` for ``fit__epochs``."""
    return (argument.arg or "").rpartition("__")[2]


def _find_fit_arguments(call: ast.Call) -> list[ast.expr]:
    """Return a list with the dictionary of fit() arguments that ``call`` gives a wrapper; empty if there is none."""
    named = [each.value for each in call.keywords if each.arg == _FIT_ARGUMENTS]
    is_wrapper = last_name(call.func) in _WRAPPERS
    return named or (call.args[_FIT_ARGUMENTS_POSITION:][:1] if is_wrapper else [])


def _find_inner(unit: Unit, loops: list[ast.For | ast.While]) -> set[ast.For | ast.While]:
    """Return the loops nested in others, and those in functions called by a loop that has training code of its own."""
    functions = {loop: getattr(unit.function(loop), "name", "") for loop in loops}
    local = frozenset(functions.values())
    called = {
        name
        for loop in loops
        if _trains(loop, apart_from=local)
        for name in _find_called_functions(loop)
        if name != functions[loop]
    }
    return {
        loop
        for loop, name in functions.items()
        if name in called or any(each in functions for each in unit.ancestors(loop))
    }


def _find_called_functions(loop: ast.For | ast.While) -> set[str]:
    """Return the names of the functions that a loop calls, and of the methods that it calls on ``self``."""
    calls = [each.func for each in ast.walk(loop) if isinstance(each, ast.Call)]
    return {last_name(each) for each in calls if _base_name(each) in ("self", last_name(each))}


def _trains(loop: ast.For | ast.While, apart_from: frozenset[str] = frozenset()) -> bool:
    """Return whether a loop calls something that trains, or takes gradient descent steps itself."""
    return any(
        _is_training_call(each) and last_name(each.func) not in apart_from and not _fits_new_model(loop, each)
        if isinstance(each, ast.Call)
        else _is_gradient_step(each)
        for statement in loop.body
        for each in ast.walk(statement)
    )


def _repeats_training(loop: ast.For | ast.While) -> bool:
    """Return whether each iteration trains from scratch, with a new split or seed, rather than for one more epoch."""
    calls = [node for statement in loop.body for node in ast.walk(statement) if isinstance(node, ast.Call)]
    target = last_name(loop.target) if isinstance(loop, ast.For) else ""
    seeds = {"seed", "random_state"}
    return (
        bool(_REPEATS.fullmatch(target))
        or any(last_name(call.func) in _SPLITS for call in calls)
        or any(
            each.arg in seeds and last_name(each.value) == target for call in calls for each in call.keywords if target
        )
    )


def _fits_new_model(loop: ast.For | ast.While, call: ast.Call) -> bool:
    """Return whether a call fits a new model that the loop creates in each iteration, such as one per fold or class."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "fit":
        return False
    model = _base_name(call.func)
    assigned = [node for each in loop.body for node in ast.walk(each) if isinstance(node, ast.Assign)]
    return isinstance(call.func.value, ast.Call) or any(
        model in [last_name(target) for target in node.targets]
        and model not in [last_name(each) for each in ast.walk(node.value) if isinstance(each, ast.Name)]
        for node in assigned
    )


def _is_training_call(call: ast.Call) -> bool:
    """Return whether a call trains a model, as ``loss.backward()`` or TensorFlow 1's ``session.run(train_op)`` does."""
    name = last_name(call.func)
    if name == "run" and isinstance(call.func, ast.Attribute):
        nodes = [node for each in (call.func.value, *call.args[:1]) for node in ast.walk(each)]
        names = [last_name(each) for each in nodes if isinstance(each, ast.Name | ast.Attribute)]
        return any(_TRAINING_OPERATION.search(each) for each in names)
    return name in _TRAINING_CALLS


def _is_gradient_step(node: ast.AST) -> bool:
    """Return whether a statement is a gradient step, such as ``weights -= lr * slope`` or ``w = w - lr * slope``."""
    if isinstance(node, ast.AugAssign):
        step = node.value if isinstance(node.op, ast.Sub | ast.Add) else None
    else:
        step = node.value.right if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) else None
    names = (last_name(each) for each in ast.walk(step) if isinstance(each, ast.Name | ast.Attribute)) if step else ()
    return any(_LEARNING_RATE.fullmatch(name) for name in names)


def _find_range(head: ast.expr) -> ast.Call | None:
    """Return the call to ``range`` in the header of a loop, even when wrapped, as in ``tqdm(range(20))``."""
    if isinstance(head, ast.NamedExpr):
        return _find_range(head.value)
    if isinstance(head, ast.Call):
        if last_name(head.func) in _RANGES:
            return head
        for argument in head.args[:1]:
            return _find_range(argument)
    return None


def _find_boosting(unit: Unit) -> set[str]:
    """Return the names under which a module imports XGBoost and LightGBM."""
    imports = [alias for each in unit.nodes if isinstance(each, ast.Import) for alias in each.names]
    return {alias.asname or alias.name for alias in imports if alias.name in _BOOSTING}


def _base_name(node: ast.expr) -> str:
    """Return the variable that an expression starts with, such as ``model`` in ``model.fit``."""
    base, _ = read_keys(node)
    return base.id if isinstance(base, ast.Name) else ""
