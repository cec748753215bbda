"""Find models validated or tested on the wrong data, such as training data or rows that a loaded model has seen."""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from epochal.analysis.findings.finding import Finding, Severity
from epochal.analysis.findings.logs import is_log_call
from epochal.analysis.findings.metrics import COMPARING, find_measurement
from epochal.analysis.findings.source import (
    Scope,
    Source,
    Step,
    find_used,
    has_unknown_arguments,
    inputs_of,
    keyword,
    names_in,
    root_name,
)
from epochal.analysis.syntax import last_name, text_of

MEASURING = frozenset(
    {"evaluate", "score", "predict", "predict_proba", "predict_classes", "evaluate_generator", "predict_generator"}
    | {"accuracy_score", "cross_val_score", "cross_validate", "cross_val_predict", "classification_report"}
    | {"test_on_batch", "predict_on_batch", "best_score_", "oob_score_", "from_predictions", "from_estimator"}
    | {"cv", "learning_curve", "validation_curve", "permutation_test_score"}
)
"""Functions, methods and attributes that evaluate a model or predict with it."""
_PLAIN_USES = MEASURING | {
    *("fit", "compile", "summary", "add", "save", "save_weights", "save_model", "get_params", "set_params"),
    *("count_params", "classes_", "feature_importances_"),
}
"""The names in ``MEASURING``, and methods and attributes of a model that neither measure nor predict."""
_PLAIN = (ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Constant, ast.expr_context)
_LOADS_MODEL = re.compile(r"(?:\w+\.)*(?:load_model|load_weights)")
_LOADS_ANYTHING = re.compile(r"(?:joblib|pickle|torch|dill|cloudpickle)\.load")
_MODEL_ATTRIBUTES = frozenset(
    {"fit", "partial_fit", "train_on_batch", "predict", "predict_proba", "decision_function", "score", "evaluate"}
    | {"coef_", "intercept_", "feature_importances_"}
)
_TAKES_MODELS = frozenset(
    {"FrozenEstimator", "CalibratedClassifierCV", "SelectFromModel"}
    | {f"{kind}{task}" for kind in ("Stacking", "Voting") for task in ("Classifier", "Regressor")}
)
"""The scikit-learn classes that take models, or lists of named models, as arguments."""
_MODEL_FILE = re.compile(r"\.(?:keras|h5|hdf5|joblib|pkl|pickle|pt|pth|weights)$")
_TRAINING = frozenset({"fit", "partial_fit", "train_on_batch"})
_WRITING = frozenset({"save", "save_weights", "save_model", "dump", "ModelCheckpoint"})
_EXISTS = frozenset({"exists", "isfile", "is_file"})
_FIELD = re.compile(r"\{[^{}]*\}|%\w")
_MAX_STEPS = 8
_BEST_EPOCH = frozenset({"EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau"})


def find_loaded_models(sources: tuple[Source, ...], files: Collection[str]) -> Iterator[Finding]:
    """Yield a finding for each model among the committed ``files`` that the code loads, if the script also trains."""
    models = sorted(path for path in files if _MODEL_FILE.search(path))
    if not models or not any(last_name(call.func) in _TRAINING for each in sources for call in each.calls):
        return
    scopes = {id(scope): (source, scope) for source, scope in find_used(sources)}
    scopes |= {id(each): (source, each) for source in sources for each in source.scopes if each.name == "__init__"}
    places = [_Place(source, scope, step, call) for source, scope in scopes.values() for step, call in _calls(scope)]
    fits = [place for place in places if last_name(place.call.func) in _TRAINING]
    code = _Code(places)
    writes = [place for place in places if last_name(place.call.func) in _WRITING]
    measurement = find_measurement(sources)
    reported = set()
    for place in places:
        if not _loads_model(place, places) or _is_only_compared(place, measurement):
            continue
        found = [path for path in models if code.may_name(place, path)]
        written = [each for each in writes if code.runs_first(each, place, fits)]
        path = next((path for path in found if not any(code.may_name(each, path) for each in written)), "")
        if path and path not in reported and not any(code.share_path(each, place) for each in written):
            reported.add(path)  # a function of the script may be called load_model, too
            yield Finding(
                "loaded_model",
                place.source.path,
                place.call.lineno,
                f"{place.source.path} loads {path}. If that model was trained on rows that are now test data, the "
                "accuracy is too high.",
                "Train from scratch, or test on rows that the model has never seen.",
            )


@dataclass(frozen=True)
class _Place:
    """A call, with the statement, scope and file that contain it."""

    source: Source
    scope: Scope
    step: Step
    call: ast.Call


def _calls(scope: Scope) -> Iterator[tuple[Step, ast.Call]]:
    return ((step, call) for step in scope.steps for call in step.calls)


class _Code:
    """Which model files the calls in the code refer to, and in which order the calls run."""

    def __init__(self, places: list[_Place]) -> None:
        self._places = places
        self._starts: dict[ast.AST, tuple[int, ...]] = {}
        """The position of the first call to each function."""

    def may_name(self, place: _Place, path: str) -> bool:
        """Return whether a call that loads or saves a model may name the file ``path``."""
        argument = self._argument(place)
        texts = self._texts(place, argument)
        if any(text.removeprefix("./") == path for text in texts):
            return True
        if isinstance(self._resolve(place, argument), ast.Constant):
            return False
        if not any(map(_MODEL_FILE.search, texts)):  # the path is a parameter, for example
            callers = self._callers(place)
            texts = [text for each in callers for node in inputs_of(each.call) for text in self._texts(each, node)]
            texts += [text for node in _defaults(place.scope) for text in self._texts(place, node)]
        return any(_matches(text, path) for text in texts)

    def share_path(self, one: _Place, other: _Place) -> bool:
        """Return whether two calls get their path from the same expression."""
        first, second = self._argument(one), self._argument(other)
        return first is not None and second is not None and ast.dump(first) == ast.dump(second)

    def runs_first(self, write: _Place, load: _Place, fits: list[_Place]) -> bool:
        """Return whether a call that writes a file runs before one that loads it, even if the file already exists."""
        start = self._position(write)
        if last_name(write.call.func) in _BEST_EPOCH:  # such a callback writes during the next fit
            start = min((at for at in map(self._position, fits) if at >= start), default=start)
        tests = {
            node.lineno: node.test
            for node in write.source.nodes
            if isinstance(node, ast.If) and any(last_name(each) in _EXISTS for each in ast.walk(node.test))
        }
        guards = [branch for branch in write.step.branch if branch[0] in tests]
        return start < self._position(load) and all(branch in load.step.branch for branch in guards)

    def _callers(self, place: _Place) -> list[_Place]:
        """Return the calls to the function that contains ``place``, or to its class if the function is ``__init__``."""
        name = place.scope.name
        if name == "__init__":
            kinds = (node for node in place.source.nodes if isinstance(node, ast.ClassDef))
            name = next((kind.name for kind in kinds if place.scope.node in kind.body), name)
        return [each for each in self._places if name and last_name(each.call.func) == name]

    def _position(self, place: _Place) -> tuple[int, ...]:
        """Return a call's place in the execution order: the line of each call from the top level down to it."""
        scope = place.scope.node
        if scope not in self._starts:
            self._starts[scope] = ()  # for functions that call themselves
            self._starts[scope] = min(map(self._position, self._callers(place)), default=())
        return (*self._starts[scope], place.call.lineno)

    def _argument(self, place: _Place) -> ast.expr | None:
        """Return the argument that specifies the file: its path, or an open file."""
        call = place.call
        by_name = (keyword(call, name) for name in ("filepath", "filename", "path", "file", "f"))
        position = 1 if last_name(call.func) in ("dump", "save_model") or _is_torch_save(call) else 0
        return next(filter(None, by_name), None) or (call.args[position] if len(call.args) > position else None)

    def _resolve(self, place: _Place, node: ast.expr | None) -> ast.expr | None:
        """Trace a variable to its value if it is assigned only once, and a call to ``open`` to its first argument."""
        for _ in range(_MAX_STEPS):
            if isinstance(node, ast.Name) and len(values := self._values(place, node.id)) == 1:
                node = values[0]
            elif isinstance(node, ast.Call) and last_name(node.func) == "open" and node.args:
                node = node.args[0]
            else:
                break
        return node

    def _values(self, place: _Place, name: str) -> list[ast.expr]:
        """Return the values assigned to a variable in a call's scope or, if there are none, in the call's module."""
        for scope in (place.scope, place.source.scopes[0]):
            found = [
                value
                for step in scope.steps
                for target, value in step.assigned
                if isinstance(target, ast.Name) and target.id == name and value is not None
            ]
            if found:
                return found
        return []

    def _texts(self, place: _Place, node: ast.expr | None) -> list[str]:
        """Return the strings in an expression and in the variables that it mentions, with ``*`` for unknown parts."""
        texts: list[str] = []
        queue: list[ast.AST] = [node] if node else []
        seen: set[str] = set()
        for part in queue:
            if isinstance(part, ast.JoinedStr):
                texts.append("".join(text_of(value) or "*" for value in part.values))
            elif text := text_of(part):
                texts.append(_FIELD.sub("*", text))
            elif isinstance(part, ast.Name) and part.id not in seen:
                seen.add(part.id)
                queue += self._values(place, part.id)
            else:
                queue += ast.iter_child_nodes(part)
        return texts


def _matches(text: str, path: str) -> bool:
    """Return whether a string names the model file ``path``, in any folder.

    The string may contain ``*``; if it starts with a dot, it may be just the end of the file's name.
    """
    pattern = text.removeprefix("./")
    pattern = f"*{pattern}" if pattern.startswith(".") else f"*/{pattern}"
    return bool(_MODEL_FILE.search(pattern)) and fnmatchcase(f"/{path}", pattern)


def _defaults(scope: Scope) -> list[ast.expr]:
    """Return the default values of a function's parameters."""
    if isinstance(scope.node, ast.Module):
        return []
    arguments = scope.node.args
    return [*arguments.defaults, *filter(None, arguments.kw_defaults)]


def _is_torch_save(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == "torch.save"


def _loads_model(place: _Place, places: list[_Place]) -> bool:
    """Return whether a call loads a model rather than data, judging by its function or by how the result is used."""
    name = place.source.callee(place.call) or last_name(place.call.func)
    if not _LOADS_ANYTHING.fullmatch(name):
        return bool(_LOADS_MODEL.fullmatch(name))
    if isinstance(place.step.node, ast.Return) and place.call in _alternatives(place.step.node.value):
        callers = [each for each in places if last_name(each.call.func) == place.scope.name]
        return any(_is_used_as_model(each, each.call) for each in callers)
    return _is_used_as_model(place, place.call)


def _is_only_compared(place: _Place, measurement: tuple[str, str, int] | None) -> bool:
    """Return whether a loaded model serves only as a baseline for the measured model.

    Such a baseline is used only before the measurement, and affects only printed or logged output and later decisions.
    """
    what, path, line = measurement or ("", "", 0)
    target = next((target for target, value in place.step.assigned if value is place.call), None)
    if not isinstance(target, ast.Name) or not what.endswith("()") or path != place.source.path:
        return False
    uses = _find_uses(place.source, target.id)
    return all(node.lineno < line for node in uses) and _is_only_shown(place, target.id, line, set())


def _is_only_shown(place: _Place, name: str, line: int, seen: set[str]) -> bool:
    """Return whether a variable affects only what is printed or logged, and decisions made after ``line``.

    ``seen``: the variables that have already been followed.
    """
    steps = {id(node): step.node for step in place.scope.steps for node in step.nodes}
    seen.add(name)
    for use in _find_uses(place.source, name):
        node = steps.get(id(use))
        if node is None:
            return False
        if _shows(node) or (isinstance(node, ast.If | ast.Assert) and node.lineno > line):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else []
        names = set[str]().union(*map(names_in, targets))
        if not names or any(isinstance(each, ast.Attribute | ast.Subscript) for each in targets):
            return False
        if not all(_is_only_shown(place, each, line, seen) for each in names - seen):
            return False
    return True


def _find_uses(source: Source, name: str) -> list[ast.Name]:
    names = (node for node in source.nodes if isinstance(node, ast.Name))
    return [node for node in names if node.id == name and isinstance(node.ctx, ast.Load)]


def _shows(node: ast.stmt) -> bool:
    """Return whether a statement prints or logs something."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    return last_name(node.value.func) == "print" or is_log_call(node.value)


def _alternatives(node: ast.expr | None) -> list[ast.expr]:
    """Return the expressions that may supply an expression's value, such as ``a`` and ``b`` for ``a if c else b``."""
    match node:
        case ast.IfExp():
            return [*_alternatives(node.body), *_alternatives(node.orelse)]
        case ast.BoolOp():
            return [each for value in node.values for each in _alternatives(value)]
    return [node] if node else []


def _is_used_as_model(place: _Place, call: ast.Call) -> bool:
    assigned = [pair for step in place.scope.steps for pair in step.assigned]
    targets = [target for target, value in assigned if call in _alternatives(value)]
    results = [part for target in targets for part in ast.walk(target) if isinstance(part, ast.Name | ast.Attribute)]
    names = {ast.unparse(each) for each in results}
    is_shared = any(isinstance(each, ast.Attribute) for each in results)  # the methods of a class use self.model
    operands: list[ast.AST] = []
    # Functions inside the scope may use the model, too.
    for node in place.source.nodes if is_shared else ast.walk(place.scope.node):
        if isinstance(node, ast.Attribute) and node.attr in _MODEL_ATTRIBUTES:
            operands.append(node.value)
        elif isinstance(node, ast.Call) and last_name(node.func) == "load_state_dict":
            operands += node.args
        elif isinstance(node, ast.Call) and last_name(node.func) in _TAKES_MODELS:
            operands += [part for each in inputs_of(node) for part in ast.walk(each)]
    return any(
        each is call or (isinstance(each, ast.Name | ast.Attribute) and ast.unparse(each) in names) for each in operands
    )


@dataclass(frozen=True)
class _Fit:
    """A call to ``fit``.

    ``owner``, ``data``, ``validation``: strings that identify the fitted object, its training data and its validation
    data; equal non-empty strings mean the same value. ``validates``: whether the call has validation data.
    """

    call: ast.Call
    owner: str
    data: str
    validation: str
    validates: bool


@dataclass(frozen=True)
class _Measurement:
    """A call to ``evaluate``, ``score`` or ``predict``, or a call that compares the result of ``predict`` with labels.

    ``owner``, ``data``: as in ``_Fit``. ``model``: the name of the variable or attribute that holds the measured object.
    """

    call: ast.Call
    owner: str
    data: str
    model: str


def find_wrong_data(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Find calls to ``fit`` that validate on training or test data, and scripts that test only on training data."""
    measured, training_only = 0, []
    for source, scope in find_used(sources):
        fits, measurements = _read_calls(source, scope)
        for fit in fits:
            yield from _check_validation(source, fit, measurements)
        for measurement in measurements:
            same = [fit for fit in fits if (fit.owner, fit.data) == (measurement.owner, measurement.data)]
            others = [fit for fit in fits if fit.owner == measurement.owner and fit.data != measurement.data]
            if measurement.data and same and not others and not any(fit.validates for fit in same):
                training_only.append((source, measurement, same[-1]))
    for source in sources:
        measured += sum(_is_measuring(node) for node in source.nodes)
    elsewhere = {name for source in sources for name in _used_objects(source)}
    reported = [
        each
        for each in training_only
        if last_name(each[1].call.func) in ("evaluate", "score", "accuracy_score") and each[1].model not in elsewhere
    ]
    if reported and measured == len(training_only):
        source, measurement, fit = reported[-1]
        yield Finding(
            "tested_on_training_data",
            source.path,
            measurement.call.lineno,
            f"{last_name(measurement.call.func)}() uses the same data as fit() on line {fit.call.lineno}, "
            "and accuracy on training data does not count.",
            "Split off test data with train_test_split(…, random_state=0), and evaluate the model on it.",
        )


def _used_objects(source: Source) -> Iterator[str]:
    """Yield the variables and attributes that are used for anything other than fitting, saving or measuring a model.

    If one of them is a model, the accuracy may be computed from its coefficients or from the results of calling it.
    """
    attributes = (node for node in source.nodes if isinstance(node, ast.Attribute))
    owners = {id(node.value) for node in attributes if node.attr in _PLAIN_USES}
    for node in source.nodes:
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load) and id(node) not in owners:
            yield last_name(node)


def _is_measuring(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in MEASURING
    return isinstance(node, ast.Name) and node.id in MEASURING


class _Variables:
    """The variables of a scope: how often each has been assigned so far, and which function created its value."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._versions: Counter[str] = Counter()
        self._makers: dict[str, str] = {}

    def assign(self, step: Step) -> None:
        """Record the assignments in a statement."""
        for target, value in step.assigned:
            for node in ast.walk(target):
                if isinstance(node, ast.Name):
                    self._versions[node.id] += 1
                    self._makers[node.id] = self.maker(value)

    def maker(self, value: ast.expr | None) -> str:
        """Return the full name of the imported function that created a value; empty if unknown."""
        while isinstance(value, ast.Call | ast.Attribute | ast.Subscript):
            if isinstance(value, ast.Call) and (name := self._source.callee(value)):
                return name
            value = value.func if isinstance(value, ast.Call) else value.value
        return self._makers.get(value.id, "") if isinstance(value, ast.Name) else ""

    def identify(self, node: ast.expr | None) -> str:
        """Return a string that identifies the value of an expression; empty if the value is unknown."""
        if node is None or not all(isinstance(each, _PLAIN) for each in ast.walk(node)):
            return ""
        names = sorted({each.id for each in ast.walk(node) if isinstance(each, ast.Name)})
        return " ".join([ast.unparse(node), *(str(self._versions[name]) for name in names)]) if names else ""

    def identify_owner(self, call: ast.Call, step: Step) -> str:
        """Return a string that identifies the object whose method is called: ``clf`` in ``clf = SVC().fit(x, y)``."""
        assert isinstance(call.func, ast.Attribute)
        node = step.node
        if isinstance(node, ast.Assign) and node.value is call and isinstance(call.func.value, ast.Call):
            target = node.targets[0]
            if isinstance(target, ast.Name):
                return f"{target.id} {self._versions[target.id] + 1}"
        return self.identify(call.func.value)


def _read_calls(source: Source, scope: Scope) -> tuple[list[_Fit], list[_Measurement]]:
    fits: list[_Fit] = []
    measurements: list[_Measurement] = []
    variables = _Variables(source)
    predictions: dict[str, _Measurement] = {}
    for step in scope.steps:
        for call in step.calls:
            if last_name(call.func) in COMPARING:
                found = (predictions.get(variables.identify(each)) for each in call.args)
                measurements += [replace(each, call=call) for each in found if each]
            if not isinstance(call.func, ast.Attribute) or has_unknown_arguments(call):
                continue
            data = variables.identify(keyword(call, "x", 0) or keyword(call, "X"))
            if call.func.attr == "fit":
                fits.append(_read_fit(call, variables.identify_owner(call, step), data, variables))
            elif call.func.attr in ("evaluate", "score", "predict", "predict_proba"):
                # score(x) without labels is a likelihood.
                enough = call.func.attr != "score" or len(call.args) + len(call.keywords) > 1
                owner, model = variables.identify(call.func.value), last_name(call.func.value) or root_name(call.func)
                measurements.append(_Measurement(call, owner, data if enough else "", model))
        variables.assign(step)
        for target, value in step.assigned:
            predictions |= {variables.identify(target): each for each in measurements if each.call is value}
    return fits, measurements


def _read_fit(call: ast.Call, owner: str, data: str, variables: _Variables) -> _Fit:
    validation = keyword(call, "validation_data")
    validates = validation is not None or keyword(call, "validation_split") is not None
    if isinstance(validation, ast.Tuple | ast.List):
        return _Fit(call, owner, data, variables.identify(validation.elts[0]) if validation.elts else "", validates)
    # Any other object, such as a generator, may give different rows each time it is read.
    known = variables.maker(validation).startswith(("keras.", "tensorflow."))
    return _Fit(call, owner, data, variables.identify(validation) if known else "", validates)


def _check_validation(source: Source, fit: _Fit, measurements: list[_Measurement]) -> Iterator[Finding]:
    if not fit.validation:
        return
    if fit.validation == fit.data:
        yield Finding(
            "validated_on_training_data",
            source.path,
            fit.call.lineno,
            "fit() validates on its training data, so val_accuracy says nothing about unseen data and does not count.",
            "Split off validation data, or pass validation_split=0.2.",
        )
        return
    counting = [
        each
        for each in measurements
        if each.owner == fit.owner
        and last_name(each.call.func) in ("evaluate", "accuracy_score")
        and each.data != fit.data
    ]
    last = counting[-1] if counting else None  # the last measurement counts
    callbacks = {last_name(call.func) for call in source.calls} & _BEST_EPOCH
    if last and last.data == fit.validation and last_name(last.call.func) == "evaluate":
        chosen = f", and {sorted(callbacks)[0]} acts on the validation results" if callbacks else ""
        yield Finding(
            "validated_on_test_data",
            source.path,
            fit.call.lineno,
            f"fit() validates on the data that evaluate() uses on line {last.call.lineno}{chosen}, "
            "so the accuracy may be too high.",
            "Split off separate validation data, or pass validation_split=0.2.",
            Severity.WARNING if callbacks else Severity.NOTE,
        )
