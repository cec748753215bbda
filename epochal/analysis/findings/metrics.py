"""Find meaningless accuracies, such as the accuracy of a regression, and scripts that report no accuracy."""

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from epochal.analysis.findings.finding import Finding
from epochal.analysis.findings.source import (
    GROWING,
    Scope,
    Source,
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
_LOGS = frozenset({"info", "warning", "error", "critical", "log"})
"""Logger methods whose messages are usually shown."""
_CONFIGURES_LOGGING = re.compile(
    r"(?:dict|file)Config|addHandler|(?!getLogger$)\w*(?:set|get|init|make|create)\w*log\w*", re.IGNORECASE
)
_CONFIGURING = frozenset({"coloredlogs.install", "hydra.main"})
"""Functions that configure logging, but do not match ``_CONFIGURES_LOGGING``."""
_HIDING_LEVELS = frozenset({"WARNING", "WARN", "ERROR", "CRITICAL", "FATAL"})
_LEVEL_OF_INFO = 20
_RESULT_FILE = re.compile(
    r".*(?:metric|result|score|acc|eval|performance|summary|report|\}).*\.(?:json|txt)|.*\}|", re.IGNORECASE
)
"""Matches the names of files in which Epochal may look for an accuracy. Braces stand for an unknown part of a name."""
_FILE_HANDLER = re.compile(r"logging\.(?:handlers\.)?(?:|Rotating|TimedRotating|Watched)FileHandler")
_LOGGING_CALL = re.compile(r"logging\.(?:debug|info|warn|warning|error|exception|critical|log)")
"""Matches the functions that configure logging to show messages if the root logger has no handler."""
_MAX_DEPTH = 3
_JOINS_PATH = frozenset({"join", "joinpath", "Path", "PurePath", "str", "fspath"})
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
    has_classes = any(_CLASSES.fullmatch(source.callee(call)) for source in sources for call in source.calls)
    has_classes |= any(_separates_classes(node) for source in sources for node in source.nodes)
    nodes = [(source, node) for source, scope in find_used(sources) for step in scope.steps for node in step.nodes]
    has_own = any(text_of(each).endswith("accuracy.json") for _, each in nodes if isinstance(each, ast.expr))
    measures = any(isinstance(each, ast.Call) and source.callee(each) in _ACCURACY_FUNCTIONS for source, each in nodes)
    for source, scope in find_used(sources):
        for compiled in _read_compiles(source, scope):
            yield from _check_compile(source, compiled, one_hot=one_hot, is_sound=has_classes or has_own)
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
    words = {word for source in sources for word in _words(source.tree)}
    if any(_MAY_REPORT.search(word) for word in words):
        return
    source, last = compiles[-1]
    yield Finding(
        "no_accuracy",
        source.path,
        last.line,
        "compile() has no accuracy among its metrics, and no accuracy is printed, so there is nothing to judge.",
        'Write compile(…, metrics=["accuracy"]) and call evaluate() with test data.',
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


def _separates_classes(node: ast.AST) -> bool:
    """Return whether an expression compares a value with 0.5, as scripts do to turn a model's output into a label."""
    return isinstance(node, ast.Compare) and any(literal(each) == 0.5 for each in (node.left, *node.comparators))


def _check_compile(source: Source, each: _Compile, *, one_hot: bool, is_sound: bool) -> Iterator[Finding]:
    """Check the metrics of one call to compile().

    ``is_sound``: whether the accuracy of a regression does no harm, because its targets are classes or because the
    script writes accuracy.json, which counts instead.
    """
    metrics = {_plain(name) for name in each.metrics or ()}
    is_regression = _plain(each.loss) in _REGRESSION_LOSSES and each.units == 1 and each.activation == "linear"
    if is_regression and metrics & _ACCURACIES and not is_sound:
        yield Finding(
            "accuracy_of_regression",
            source.path,
            each.line,
            f"compile() asks for the accuracy of a regression (loss {each.loss}, one linear output), "
            "which is meaningless unless the labels are 0 and 1.",
            "Count the predictions that are close enough, and write their share to $EPOCHAL_OUT/accuracy.json.",
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
    """Return the units and activation of a Dense layer; 0 or an empty string if they are unknown."""
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
                "Count the predictions that are close enough, and write their share to $EPOCHAL_OUT/accuracy.json.",
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

    ``hidden``: the logger methods whose messages are not shown, apart from ``debug``.
    """
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    name = last_name(node.value.func)
    logs = is_log_call(node.value) and name != "debug" and name not in hidden
    if name != "print" and not logs:
        return False
    return any(_SAYS_ACCURACY.search(text) for text in _texts_of(node))


def is_log_call(call: ast.Call) -> bool:
    """Return whether a call passes a message to a logger, even one that is not shown."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _LOGS | {"debug"}:
        return False
    if not isinstance(call.func.value, ast.Call):
        return "log" in last_name(call.func.value).lower()
    getter = call.func.value.func  # as in getLogger().info() and log.get().info()
    return (
        "log" in f"{last_name(getter.value) if isinstance(getter, ast.Attribute) else ''} {last_name(getter)}".lower()
    )


@dataclass(frozen=True)
class _Output:
    """A call that decides where log messages go: ``basicConfig`` or ``addHandler``.

    ``file``: the file that gets all messages; empty if they may be shown, or if it may be a result file.
    ``is_certain``: whether the call is unconditional.
    """

    source: Source
    call: ast.Call
    file: str
    is_certain: bool

    @property
    def name(self) -> str:
        """The name of the function that is called."""
        return last_name(self.call.func)

    def explain(self, *, sets_level: bool) -> str:
        """Return where the messages go, and how to show them. ``sets_level``: whether the level is low enough."""
        remedy = "remove filename from that call" + ("" if sets_level else ", and pass level=logging.INFO")
        if self.name == "addHandler" and isinstance(self.call.func, ast.Attribute):
            logger = ast.unparse(self.call.func.value)
            level = "" if sets_level else f" and {logger}.setLevel(logging.INFO)"
            remedy = f"after that line, also call {logger}.addHandler(logging.StreamHandler()){level}"
        elif keyword(self.call, "handlers"):
            level = "" if sets_level else ", and pass level=logging.INFO"
            remedy = f"add logging.StreamHandler() to handlers in that call{level}"
        where = f"{self.name}() on line {self.call.lineno} of {self.source.path}"
        return f"{where} writes such messages to {self.file} instead of showing them: {remedy}"


def _find_hidden_methods(sources: tuple[Source, ...]) -> Collection[str]:
    """Return the logger methods whose messages are certain not to be shown, apart from ``debug``.

    Python's logging shows only warnings and errors by default. Other messages may be shown if the script configures
    logging or imports a package such as loguru. If all messages are written to a file, none are shown.
    """
    others = {"loguru", "absl", "lightning", "logzero", "pytorch_lightning", "structlog"}
    imported = {name.partition(".")[0] for source in sources for name in source.names.values()}
    if imported & others:
        return ()
    if outputs := _find_files(sources):
        return _LOGS if any(each.is_certain for each in outputs) else ("info",)
    if any(_configures_logging(source) for source in sources):
        return ()
    return () if _sets_info(sources) else ("info",)


def _find_files(sources: tuple[Source, ...]) -> list[_Output]:
    """Return the calls that write all log messages to files; an empty list if any message may be shown."""
    outputs = list(_find_outputs(sources))
    loggers = _find_logger_functions(sources)
    if not all(each.file for each in outputs) or any(_configures_logging(each, loggers) for each in sources):
        return []
    added = [each for each in outputs if each.name == "addHandler"]
    return outputs if len(added) < len(outputs) or _adds_to_all(added, sources) else []


def _find_outputs(sources: tuple[Source, ...]) -> Iterator[_Output]:
    for source, scope in find_used(sources):
        for step in scope.steps:
            for call in step.calls:
                if last_name(call.func) in ("basicConfig", "addHandler"):
                    yield _Output(source, call, _name_log_file(source, call), not step.branch)


def _adds_to_all(added: list[_Output], sources: tuple[Source, ...]) -> bool:
    """Return whether handlers are added to the root logger, or to the only logger that the code uses."""
    owners = [(each.source, each.call.func.value) for each in added if isinstance(each.call.func, ast.Attribute)]
    if any(_is_root(source, owner) for source, owner in owners):
        return True
    calls = [(source, call) for source in sources for call in source.calls]
    used = [call for _, call in calls if last_name(call.func) == "getLogger"]
    return len(used) == 1 and not any(_LOGGING_CALL.fullmatch(source.callee(call)) for source, call in calls)


def _is_root(source: Source, owner: ast.expr) -> bool:
    """Return whether an expression is the root logger."""
    owner = source.resolve(owner)
    if isinstance(owner, ast.Call):
        return source.callee(owner) == "logging.getLogger" and not owner.args and not owner.keywords
    return source.name_of(owner) == "logging.root"


def _find_logger_functions(sources: tuple[Source, ...]) -> set[str]:
    """Return the names of the functions in the code that return nothing or a logger of Python's logging."""
    found: dict[str, bool] = {}
    for source in sources:
        for scope in source.scopes:
            returned = [step.node.value for step in scope.steps if isinstance(step.node, ast.Return)]
            is_plain = all(value is None or _is_logger(source, value) for value in returned)
            found[scope.name] = is_plain and found.get(scope.name, True)
    return {name for name, is_plain in found.items() if name and is_plain}


def _is_logger(source: Source, node: ast.expr) -> bool:
    node = source.resolve(node)
    return isinstance(node, ast.Call) and source.callee(node) == "logging.getLogger"


def _find_basic_calls(sources: tuple[Source, ...]) -> list[tuple[Source, ast.Call]]:
    """Return the calls to ``basicConfig``."""
    return [(source, call) for source in sources for call in source.calls if last_name(call.func) == "basicConfig"]


def _name_log_file(source: Source, call: ast.Call) -> str:
    """Return the file to which ``basicConfig`` or ``addHandler`` writes all messages; empty if it may be a result file."""
    if has_unknown_arguments(call):
        return ""
    if last_name(call.func) == "addHandler":
        handler = keyword(call, "hdlr", 0)
        return _name_handled_file(source, handler) if handler else ""
    if name := keyword(call, "filename"):
        return _check_name(_name_file(source, name))
    handlers = keyword(call, "handlers")
    handlers = source.resolve(handlers) if handlers else None
    files = [_name_handled_file(source, each) for each in getattr(handlers, "elts", ())]
    return files[0] if files and all(files) else ""


def _name_handled_file(source: Source, handler: ast.expr) -> str:
    """Return the file to which a handler writes; empty if it may be another kind of handler, or a result file."""
    handler = source.resolve(handler)
    if not isinstance(handler, ast.Call) or not _FILE_HANDLER.fullmatch(source.callee(handler)):
        return ""
    name = keyword(handler, "filename", 0)
    return "" if name is None or has_unknown_arguments(handler) else _check_name(_name_file(source, name))


def _check_name(name: str) -> str:
    """Return the name of a file, or an empty string if it may be a result file or a stream."""
    is_result = _RESULT_FILE.fullmatch(name.rpartition("/")[2])
    return "" if is_result or name.startswith("/dev/") else name


def _name_file(source: Source, node: ast.expr, depth: int = 0) -> str:
    """Return the path that an expression gives, with an unknown part in braces; folders may be left out.

    ``depth``: how many expressions contain this one; variables far inside are not resolved, as they may form a cycle.
    """
    node = source.resolve(node) if depth < _MAX_DEPTH else node
    match node:
        case ast.JoinedStr(values=parts):
            return "".join(text_of(part) or ast.unparse(ast.JoinedStr([part]))[2:-1] for part in parts)
        case ast.BinOp(op=ast.Div(), right=last):
            return _name_file(source, last, depth + 1)
        case ast.BinOp(left=left, op=ast.Add(), right=last):
            return _name_file(source, left, depth + 1) + _name_file(source, last, depth + 1)
        case ast.Call(func=function, args=[*_, last], keywords=[]) if last_name(function) in _JOINS_PATH:
            return _name_file(source, last, depth + 1)
        case _:
            return text_of(node) or f"{{{ast.unparse(node)}}}"


def _sets_info(sources: tuple[Source, ...]) -> bool:
    """Return whether ``basicConfig`` is called with, or beside, a level at which messages logged with ``info`` appear."""
    basic = [call for _, call in _find_basic_calls(sources)]
    return any(has_unknown_arguments(call) or _may_show_info(keyword(call, "level")) for call in basic) or (
        bool(basic) and any(_sets_level(node) for source in sources for node in source.nodes)
    )


def _configures_logging(source: Source, known: Collection[str] | None = None) -> bool:
    """Return whether a file sets the handlers of a logger, or calls a function that seems to do so.

    ``known``: functions of the code that are looked into elsewhere, and so are left out, as is ``addHandler``.
    """
    skipped = () if known is None else {*known, "addHandler"}
    assigned = (target for node in source.nodes if isinstance(node, ast.Assign) for target in node.targets)
    used = [
        call.func.value for call in source.calls if isinstance(call.func, ast.Attribute) and call.func.attr in GROWING
    ]
    return (
        any(
            _CONFIGURES_LOGGING.fullmatch(last_name(call.func)) and last_name(call.func) not in skipped
            for call in source.calls
        )
        or any(source.callee(call) in _CONFIGURING for call in source.calls)
        or any(isinstance(each, ast.Attribute) and each.attr == "handlers" for each in (*assigned, *used))
    )


def _sets_level(node: ast.AST) -> bool:
    """Return whether a node sets a logger's level so that messages logged with ``info`` may be shown."""
    if isinstance(node, ast.Call) and last_name(node.func) == "setLevel":
        return _may_show_info(keyword(node, "level", 0))
    targets = node.targets if isinstance(node, ast.Assign) else []
    is_level = any(isinstance(target, ast.Attribute) and target.attr == "level" for target in targets)
    return is_level and isinstance(node, ast.Assign) and _may_show_info(node.value)


def _may_show_info(level: ast.expr | None) -> bool:
    """Return whether messages logged with ``info`` may be shown at this level; None is the default level."""
    if level is None or (text_of(level) or last_name(level)).upper() in _HIDING_LEVELS:
        return False
    number = literal(level)
    return not (isinstance(number, int) and number > _LEVEL_OF_INFO)


def find_hidden_accuracy(sources: tuple[Source, ...]) -> tuple[str, int, str] | None:
    """Return the path and line of the last logged accuracy that is not shown, and why; None if there is none.

    The explanation continues a sentence that starts with the line, and ends with the remedy, without a full stop.
    """
    methods = _find_hidden_methods(sources)
    hidden = [
        (source.path, step.node.lineno, last_name(step.node.value.func))
        for source, scope in find_used(sources)
        for step in scope.steps
        if _says_accuracy(step.node) and not _says_accuracy(step.node, methods)
        if isinstance(step.node, ast.Expr) and isinstance(step.node.value, ast.Call)
    ]
    if not hidden:
        return None
    path, line, method = hidden[-1]
    return path, line, f"logs an accuracy with {method}(), but {_explain_hidden(sources)}"


def _explain_hidden(sources: tuple[Source, ...]) -> str:
    """Return why logged messages are not shown, and what to do, as the end of a sentence."""
    if outputs := _find_files(sources):
        is_added = outputs[0].name == "addHandler"
        levels = is_added and any(_sets_level(node) for source in sources for node in source.nodes)
        return outputs[0].explain(sets_level=levels or _sets_info(sources))
    calls = [f"basicConfig() on line {call.lineno} of {source.path}" for source, call in _find_basic_calls(sources)]
    add = f"call logging.basicConfig(level=logging.INFO) at the start of {sources[0].path}"
    remedy = f"pass level=logging.INFO to {calls[0]}" if calls else add
    return f"Python shows such messages only if logging is configured to show them: {remedy}"


def _texts_of(node: ast.stmt) -> Iterator[str]:
    return (text_of(each) for each in ast.walk(node) if isinstance(each, ast.Constant))


def find_measurement(sources: tuple[Source, ...]) -> tuple[str, str, int] | None:
    """Return the call, printed line or metric that gives a script's accuracy, with its file and line; None if unknown.

    This is the last call to ``evaluate``, ``score``, ``accuracy_score``, ``classification_report`` or
    ``cross_val_score``. If there is no such call, it is the last line that prints an accuracy. Without such a line, if
    ``fit`` gets validation data, it is the last accuracy metric in a call to ``compile``, with the prefix ``val_``.
    """
    measured: list[tuple[str, str, int]] = []
    printed: list[tuple[str, str, int]] = []
    hidden = _find_hidden_methods(sources)
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
