"""Find meaningless accuracies, such as the accuracy of a regression, and scripts that report no accuracy."""

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from epochal.analysis.findings.finding import Finding
from epochal.analysis.findings.logs import (
    explain_hidden,
    find_hidden_methods,
    find_message,
    is_log_call,
    uses_other_loggers,
)
from epochal.analysis.findings.path_values import is_in_folder, trace_path
from epochal.analysis.findings.source import (
    Scope,
    Source,
    Step,
    find_certain,
    find_used,
    has_unknown_arguments,
    keyword,
    root_name,
)
from epochal.analysis.syntax import last_name, literal, text_of

_REGRESSION_LOSSES = frozenset(
    {"mse", "mae", "mape", "msle", "meansquarederror", "meanabsoluteerror", "meansquaredlogarithmicerror"}
    | {"meanabsolutepercentageerror", "huber", "huberloss", "logcosh"}
)
_ACCURACIES = frozenset({"accuracy", "acc", "categoricalaccuracy", "sparsecategoricalaccuracy"})
"""Accuracies that are meaningless for a single linear output. BinaryAccuracy is left out: the labels may be 0 and 1."""
_REGRESSOR = re.compile(
    r"(?:sklearn|xgboost|lightgbm)\.(?:\w+\.)*(?:\w+Regressor|LinearRegression|Ridge|RidgeCV|Lasso|LassoCV|ElasticNet|SVR"
    r"|LinearSVR|BayesianRidge)"
)
_SAYS_ACCURACY = re.compile(r"(?<![a-z])acc(?:uracy)?(?![a-z])", re.IGNORECASE)
# A script that contains any of these words may print an accuracy, or write one to a file, in whatever language.
_MAY_REPORT = re.compile(
    r"acc(?![eio])|accur|correct|right|score|report|genau|treffer|exactitud|pr[eé]cis|acur|acert|точн|准确|精度|正解|正确|metrics?\.json",
    re.IGNORECASE,
)
_OTHER_METRICS = frozenset(
    {
        "precision",
        "val_precision",
        "Precision",
        "PrecisionAtRecall",
        "RecallAtPrecision",
        "F1Score",
        "FBetaScore",
        "R2Score",
    }
)
"""Words that ``_MAY_REPORT`` matches although they name Keras metrics other than accuracies."""
_WRITE_SHARE = (
    "Compute the share of predictions that are close enough to their targets, and write it to "
    "$EPOCHAL_OUT/accuracy.json."
)
_SAYS_R2 = re.compile(r"(?<![a-z])r(?:2|²|\^2|-?squared)(?![a-z])", re.IGNORECASE)
COMPARING = frozenset({"accuracy_score", "classification_report"})
"""Functions that compare labels with predictions."""
ACCURACY_CALLS = frozenset({*COMPARING, "evaluate", "score"})
"""Functions and methods that compute an accuracy from rows and labels, or from labels and predictions."""
_ACCURACY_FUNCTIONS = frozenset(f"sklearn.metrics.{name}" for name in COMPARING)
_MEASURING = frozenset({*COMPARING, "cross_val_score"})
_CLASSES = re.compile(
    r"sklearn\.datasets\.(?:load_(?:breast_cancer|iris|wine|digits)|make_(?:classification|moons|circles|blobs|hastie\w+))"
    r"|keras\.datasets\.(?!boston|california)\w+\.load_data"
)
"""Matches functions that load or generate data with classes as labels."""
_KERAS = ("keras", "tensorflow", "tf_keras")


@dataclass(frozen=True)
class _Compile:
    """A call to ``compile``. ``metrics``: the names of its metrics; None if they are unknown.

    ``units``, ``activation``: the units and activation of the model's last layer; 0 and an empty string if unknown.
    """

    line: int
    loss: str
    metrics: tuple[str, ...] | None
    units: int
    activation: str


def find_meaningless_accuracies(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield a finding for each metric that is used as an accuracy but is not the share of correct predictions."""
    one_hot = any(last_name(call.func) == "to_categorical" for source in sources for call in source.calls)
    nodes = [(source, node) for source, scope in find_used(sources) for step in scope.steps for node in step.nodes]
    has_own = any(text_of(each).endswith("accuracy.json") for _, each in nodes if isinstance(each, ast.expr))
    measures = any(isinstance(each, ast.Call) and source.callee(each) in _ACCURACY_FUNCTIONS for source, each in nodes)
    for source, scope in find_used(sources):
        for compiled in _read_compiles(source, scope):
            yield from _check_compile(source, compiled, one_hot=one_hot, is_sound=has_own or _has_classes(sources))
        if not has_own and not measures:
            yield from _check_regressors(source, scope)


def find_metrics(sources: tuple[Source, ...]) -> Iterator[tuple[Source, int, tuple[str, ...]]]:
    """Yield the file, line and metrics of each call to ``compile`` that has metrics, if all their names are known."""
    for source, scope in find_used(sources):
        for each in _read_compiles(source, scope):
            if each.metrics:
                yield source, each.line, each.metrics


def find_missing_accuracy(sources: tuple[Source, ...]) -> Iterator[Finding]:
    """Yield a finding for the last call to ``compile`` in a Keras script if the script reports no accuracy."""
    compiles = [(source, each) for source, scope in find_used(sources) for each in _read_compiles(source, scope)]
    if not compiles or any(each.metrics is None for _, each in compiles):
        return
    words = {word for source in sources for word in _words(source.tree)} - _OTHER_METRICS
    if any(_MAY_REPORT.search(word) for word in words):
        return
    source, last = compiles[-1]
    evaluates = any(last_name(call.func) == "evaluate" for source in sources for call in source.calls)
    remedy = 'Compile the model with metrics=["accuracy"]' + (
        "." if evaluates else ", and call evaluate() with test data."
    )
    yield Finding(
        "no_accuracy",
        source.path,
        last.line,
        "compile() has no accuracy among its metrics, and no accuracy is printed, so there is nothing to judge.",
        _WRITE_SHARE if _is_regression(last) and not _has_classes(sources) else remedy,
    )


def _words(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name():
                yield node.id
            case ast.Attribute():
                yield node.attr
            case ast.alias():
                yield node.name
            case ast.keyword(arg=str(name)):
                yield name
            case ast.Constant(value=str(text)):
                yield text
            case ast.FunctionDef() | ast.ClassDef():
                yield node.name


def _has_classes(sources: tuple[Source, ...]) -> bool:
    """Return whether the labels may be classes, judging by the data that is loaded or how predictions are used."""
    loads = any(_CLASSES.fullmatch(source.callee(call)) for source in sources for call in source.calls)
    return loads or any(_separates_classes(node) for source in sources for node in source.nodes)


def _separates_classes(node: ast.AST) -> bool:
    """Return whether an expression compares a value with 0.5, as scripts do to turn a model's output into a label."""
    return isinstance(node, ast.Compare) and any(literal(each) == 0.5 for each in (node.left, *node.comparators))


def _check_compile(source: Source, each: _Compile, *, one_hot: bool, is_sound: bool) -> Iterator[Finding]:
    """Check the metrics of one call to compile().

    ``is_sound``: whether it is harmless to ask for the accuracy of a regression, because its targets are classes or
    because the script writes accuracy.json, which counts instead.
    """
    metrics = {_plain(name) for name in each.metrics or ()}
    if _is_regression(each) and metrics & _ACCURACIES and not is_sound:
        yield Finding(
            "accuracy_of_regression",
            source.path,
            each.line,
            f"compile() asks for the accuracy of a regression (loss {each.loss}, one linear output), "
            "which is meaningless unless the labels are 0 and 1.",
            _WRITE_SHARE,
        )
    classes = each.units >= 3 and (each.activation == "softmax" or one_hot)
    if classes and "binaryaccuracy" in metrics:
        yield Finding(
            "accuracy_of_zeros",
            source.path,
            each.line,
            f"binary_accuracy counts each of the {each.units} outputs separately, so the zeros in one-hot labels inflate it.",
            'Write metrics=["categorical_accuracy"].',
        )


def _is_regression(each: _Compile) -> bool:
    return _plain(each.loss) in _REGRESSION_LOSSES and each.units == 1 and each.activation == "linear"


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _read_compiles(source: Source, scope: Scope) -> Iterator[_Compile]:
    if not any(name.partition(".")[0] in _KERAS for name in source.names.values()):
        return
    outputs: dict[str, ast.Call | None] = {}
    for step in scope.steps:
        for call in step.calls:
            if not isinstance(call.func, ast.Attribute):
                continue
            owner = root_name(call.func.value)
            if call.func.attr == "add" and owner in outputs and len(call.args) == 1:
                outputs[owner] = call.args[0] if isinstance(call.args[0], ast.Call) else None
            if call.func.attr == "compile" and _is_keras_compile(source, call):
                units, activation = _read_layer(source, outputs.get(owner))
                yield _Compile(call.lineno, _name_of(keyword(call, "loss", 1)), _read_metrics(call), units, activation)
        for target, value in step.assigned:
            if isinstance(target, ast.Name):
                outputs[target.id] = _find_output(source, value, outputs)


def _is_keras_compile(source: Source, call: ast.Call) -> bool:
    """Return whether a call to ``compile`` compiles a Keras model, unlike re.compile or torch.compile."""
    named = any(each.arg in ("loss", "optimizer", "metrics") for each in call.keywords)
    return named or (len(call.args) > 1 and not source.callee(call))


def _find_output(source: Source, value: ast.expr | None, outputs: dict[str, ast.Call | None]) -> ast.Call | None:
    """Return the call that creates a model's last layer or the layer that outputs a tensor; None if unknown."""
    if not isinstance(value, ast.Call):
        return None
    if isinstance(value.func, ast.Call):  # Dense(1)(x)
        return value.func
    name = source.callee(value)
    if name in ("keras.Sequential", "keras.models.Sequential"):
        layers = keyword(value, "layers", 0)
        last = layers.elts[-1] if isinstance(layers, ast.List | ast.Tuple) and layers.elts else None
        return last if isinstance(last, ast.Call) else None
    if name in ("keras.Model", "keras.models.Model"):
        output = keyword(value, "outputs", 1)
        if isinstance(output, ast.Call) and isinstance(output.func, ast.Call):
            return output.func
        return outputs.get(output.id) if isinstance(output, ast.Name) else None
    return None


def _read_layer(source: Source, layer: ast.Call | None) -> tuple[int, str]:
    """Return a Dense layer's number of units (0 if unknown) and activation (an empty string if unknown)."""
    if layer is None or not re.fullmatch(r"keras\.layers\.(?:\w+\.)?Dense", source.callee(layer)):
        return 0, ""
    units, activation = keyword(layer, "units", 0), keyword(layer, "activation", 1)
    number = literal(units) if units is not None else None
    named = "linear" if activation is None else text_of(activation)
    return (number, named) if type(number) is int else (0, "")


def _read_metrics(call: ast.Call) -> tuple[str, ...] | None:
    """Return the names of the metrics in a call to ``compile``; None if any of them is unknown."""
    if any(each.arg is None for each in call.keywords) or len(call.args) > 2:
        return None
    metrics = keyword(call, "metrics")
    weighted = keyword(call, "weighted_metrics")
    if weighted is not None:
        return None
    if metrics is None:
        return ()
    items = metrics.elts if isinstance(metrics, ast.List | ast.Tuple) else [metrics]
    names = tuple(_name_of(item) for item in items)
    return names if all(names) else None


def _name_of(node: ast.expr | None) -> str:
    """Return the name of a loss or metric that is given as a string or a call; empty for other expressions."""
    if isinstance(node, ast.Call):
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", last_name(node.func)).lower()
    return text_of(node)


def _check_regressors(source: Source, scope: Scope) -> Iterator[Finding]:
    """Yield a finding for each R² (from ``r2_score`` or a regressor's ``score``) that is printed as an accuracy."""
    regressors: dict[str, str] = {}
    scores: dict[str, ast.Call] = {}
    for step in scope.steps:
        found = [call for call in step.calls if _is_r2(source, call) or _is_score(call, regressors)]
        says_accuracy = _says_accuracy(step.node) and not any(_SAYS_R2.search(each) for each in _texts_of(step.node))
        named = found if says_accuracy else []
        printed = [
            scores[node.id]
            for node in step.nodes
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in scores
        ]
        for call in named or (printed if says_accuracy else []):
            scores = {name: each for name, each in scores.items() if each is not call}
            owner = "" if _is_r2(source, call) else f"{regressors.get(root_name(call.func), 'A regressor')}'s "
            yield Finding(
                "accuracy_of_regression",
                source.path,
                call.lineno,
                f"{owner}{last_name(call.func)}() returns R², which is not an accuracy and does not count.",
                _WRITE_SHARE,
            )
        for target, value in step.assigned:
            for node in ast.walk(target):
                if isinstance(node, ast.Name):
                    regressors.pop(node.id, None)
                    scores.pop(node.id, None)
            if isinstance(target, ast.Name) and isinstance(value, ast.Call):
                created = _find_creation(value)
                if created and _REGRESSOR.fullmatch(source.callee(created)):
                    regressors[target.id] = last_name(created.func)
                elif value in found and value not in named:
                    scores[target.id] = value


def _find_creation(call: ast.Call) -> ast.Call | None:
    """Return the call that creates an object: ``SVR()`` in ``SVR().fit(x, y)``, otherwise ``call`` itself."""
    if isinstance(call.func, ast.Attribute) and call.func.attr == "fit" and isinstance(call.func.value, ast.Call):
        return call.func.value
    return call


def _is_r2(source: Source, call: ast.Call) -> bool:
    return source.callee(call) == "sklearn.metrics.r2_score"


def _is_score(call: ast.Call, regressors: dict[str, str]) -> bool:
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "score"
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in regressors
    )


def _says_accuracy(node: ast.stmt, hidden: Collection[str] = ()) -> bool:
    """Return whether a statement prints or logs text that mentions accuracy.

    ``hidden``: the logger methods, in addition to ``debug``, whose messages are not shown.
    """
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    name = last_name(node.value.func)
    logs = is_log_call(node.value) and name != "debug" and name not in hidden
    if name != "print" and not logs:
        return False
    return any(_SAYS_ACCURACY.search(text) for text in _texts_of(node))


def find_hidden_accuracy(sources: tuple[Source, ...]) -> tuple[str, int, str] | None:
    """Return the path and line of the last logged accuracy that is not shown, and why; None if there is none.

    The reason completes a sentence that starts with the path and line. It includes a remedy, but no full stop.
    """
    methods = find_hidden_methods(sources)
    hidden = [
        (source.path, step.node.lineno, last_name(call.func))
        for source, step, call in _find_logged(sources)
        if _says_accuracy(step.node) and not _says_accuracy(step.node, methods)
    ]
    if not hidden:
        return None
    path, line, method = hidden[-1]
    return path, line, f"logs an accuracy with {method}(), but {explain_hidden(sources)}"


def find_unseen_accuracy(sources: tuple[Source, ...], output: str) -> tuple[str, int, str] | None:
    """Return the same as ``find_hidden_accuracy`` for a script that has run; ``output`` is what it printed.

    A message whose text is missing from the output is found even if the reason is unknown. If the output contains the
    text of any message about an accuracy, None is returned.
    """
    unseen = [(source, step, call) for source, step, call in _find_logged(sources) if _name_accuracy(call)]
    shown = _compress(output) if unseen else ""
    if any(_compress(text) in shown for _, _, call in unseen for text in _name_accuracy(call)):
        return None
    if hidden := find_hidden_accuracy(sources):
        return hidden
    if not unseen:
        return None
    source, step, call = unseen[-1]
    method = last_name(call.func)
    why = f"logs an accuracy with {method}(), but that message is not in the output"
    is_certain = any(each.node is step.node for _, each in find_certain(sources))
    remedy = "" if is_certain else "make sure that the line runs, and "
    return source.path, step.node.lineno, f"{why}: {remedy}{_suggest_output(sources, method)}"


def _suggest_output(sources: tuple[Source, ...], method: str) -> str:
    """Return how to show an accuracy that is logged with a method such as ``info``."""
    printing = "print the accuracy in a line like 'Test accuracy: 0.83'"
    imported = {name.partition(".")[0] for source in sources for name in source.names.values()}
    if "logging" not in imported or uses_other_loggers(sources):
        return printing
    level = "DEBUG" if method == "debug" else "INFO"
    return f"{printing}, or add a logging.StreamHandler() to the logger and call the logger's setLevel(logging.{level})"


def _find_logged(sources: tuple[Source, ...]) -> Iterator[tuple[Source, Step, ast.Call]]:
    """Yield the statements that log a message."""
    for source, scope in find_used(sources):
        for step in scope.steps:
            call = step.node.value if isinstance(step.node, ast.Expr) else None
            if isinstance(call, ast.Call) and is_log_call(call):
                yield source, step, call


def _name_accuracy(call: ast.Call) -> list[str]:
    """Return the constant parts of a logged message that mention accuracy."""
    return [text for text in find_message(call) if _SAYS_ACCURACY.search(text)]


def _compress(text: str) -> str:
    """Return ``text`` in lower case and without whitespace, because a logger may have wrapped its lines."""
    return "".join(text.lower().split())


def _texts_of(node: ast.stmt) -> Iterator[str]:
    return (text_of(each) for each in ast.walk(node) if isinstance(each, ast.Constant))


def find_written_accuracy(sources: tuple[Source, ...]) -> tuple[str, int] | None:
    """Return the file and line of the last call that is certain to write $EPOCHAL_OUT/accuracy.json, or None."""
    found = [
        (source.path, call.lineno)
        for source, step in find_certain(sources)
        for call in step.calls
        if (path := _find_written(call)) is not None
        and is_in_folder(source, path, "EPOCHAL_OUT")
        and PurePosixPath(text_of(trace_path(source, path).end)).name == "accuracy.json"
    ]
    return found[-1] if found else None


def _find_written(call: ast.Call) -> ast.expr | None:
    """Return the path that a call opens for writing or writes to; None if it does neither."""
    is_method = isinstance(call.func, ast.Attribute)
    name, owner = last_name(call.func), getattr(call.func, "value", None)
    if name in ("write_text", "write_bytes") and is_method:
        return owner
    mode = text_of(keyword(call, "mode", 0 if is_method else 1))
    if name != "open" or not mode.startswith(("w", "x")):
        return None
    return owner if is_method else keyword(call, "file", 0)


def find_measurement(sources: tuple[Source, ...]) -> tuple[str, str, int] | None:
    """Return the call, printed line or metric that gives a script's accuracy, with its file and line; None if unknown.

    This is the last call to ``evaluate``, ``score``, ``accuracy_score``, ``classification_report`` or
    ``cross_val_score``. If there is no such call, it is the last line that prints an accuracy. Without such a line, if
    ``fit`` gets validation data, it is the last accuracy metric in a call to ``compile``, with the prefix ``val_``.
    """
    measured: list[tuple[str, str, int]] = []
    printed: list[tuple[str, str, int]] = []
    hidden = find_hidden_methods(sources)
    for source, scope in find_used(sources):
        for step in scope.steps:
            for call in step.calls:
                name = source.callee(call).rpartition(".")[2] or last_name(call.func)
                is_method = isinstance(call.func, ast.Attribute)
                if (name in ("evaluate", "score") and is_method) or name in _MEASURING:
                    measured.append((f"{name}()", source.path, call.lineno))
            says_accuracy = _says_accuracy(step.node, hidden)
            if says_accuracy and not any(_is_r2(source, call) for call in step.calls):
                printed.append(("the printed line", source.path, step.node.lineno))
    validates = any(
        last_name(call.func) == "fit"
        and (has_unknown_arguments(call) or keyword(call, "validation_data") or keyword(call, "validation_split"))
        for source in sources
        for call in source.calls
    )
    validated = [
        (f"val_{name}", source.path, line)
        for source, line, names in find_metrics(sources)
        for name in names
        if validates and _SAYS_ACCURACY.search(name)
    ]
    return next((found[-1] for found in (measured, printed, validated) if found), None)
