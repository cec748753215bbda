"""Determine which of a script's log messages are shown, rather than hidden or written only to a file."""

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from epochal.analysis.findings.source import GROWING, Source, find_used, has_unknown_arguments, keyword
from epochal.analysis.syntax import last_name, literal, text_of

_LOGS = frozenset({"info", "warning", "error", "critical", "log"})
"""Logger methods whose messages are usually shown."""
_CONFIGURES_LOGGING = re.compile(
    r"(?:dict|file)Config|addHandler|(?!getLogger$)\w*(?:set|get|init|make|create)\w*log\w*", re.IGNORECASE
)
_CONFIGURING = frozenset({"coloredlogs.install", "hydra.main"})
"""Functions that configure logging but do not match ``_CONFIGURES_LOGGING``."""
_HIDING_LEVELS = frozenset({"WARNING", "WARN", "ERROR", "CRITICAL", "FATAL"})
_LEVEL_OF_INFO = 20
_RESULT_FILE = re.compile(
    r".*(?:metric|result|score|acc|eval|performance|summary|report|\}).*\.(?:json|txt)|.*\}|", re.IGNORECASE
)
"""Matches the names of files in which Epochal may look for an accuracy. Braces stand for an unknown part of a name."""
_FILE_HANDLER = re.compile(r"logging\.(?:handlers\.)?(?:|Rotating|TimedRotating|Watched)FileHandler")
_LOGGING_CALL = re.compile(r"logging\.(?:debug|info|warn|warning|error|exception|critical|log)")
"""Matches the functions that call ``logging.basicConfig()`` if the root logger has no handler."""
_LEAVES_FILE = frozenset(
    {"print", "basicConfig", "addHandler", "remove", "unlink", "exists", "isfile", "is_file", "touch"}
    | {"mkdir", "makedirs", "dirname", "join", "joinpath", "Path", "PurePath", "str", "fspath", "format"}
)
"""Functions that do not read the file whose name they are given."""
_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-#0 +]*[\d*]*(?:\.[\d*]+)?[a-zA-Z%]|\{[^{}]*\}")
"""Matches the places in a message into which values are inserted."""
_MAX_DEPTH = 3
_JOINS_PATH = frozenset({"join", "joinpath", "Path", "PurePath", "str", "fspath"})


def is_log_call(call: ast.Call) -> bool:
    """Return whether a call logs a message, even one that is not shown."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _LOGS | {"debug"}:
        return False
    if not isinstance(call.func.value, ast.Call):
        return "log" in last_name(call.func.value).lower()
    getter = call.func.value.func  # as in getLogger().info() and log.get().info()
    return (
        "log" in f"{last_name(getter.value) if isinstance(getter, ast.Attribute) else ''} {last_name(getter)}".lower()
    )


def find_hidden_methods(sources: tuple[Source, ...]) -> Collection[str]:
    """Return the logger methods whose messages are certain not to be shown, apart from ``debug``.

    Python's logging shows only warnings and errors by default. Other messages may be shown if the script configures
    logging or imports a package such as loguru. If all messages are written to a file, none are shown.
    """
    if uses_other_loggers(sources):
        return ()
    if outputs := _find_files(sources):
        return _LOGS if any(each.is_certain for each in outputs) else ("info",)
    if any(_configures_logging(source) for source in sources):
        return ()
    return () if _sets_info(sources) else ("info",)


def uses_other_loggers(sources: tuple[Source, ...]) -> bool:
    """Return whether the code imports a package that shows log messages in its own way."""
    others = {"loguru", "absl", "lightning", "logzero", "pytorch_lightning", "structlog"}
    return any(name.partition(".")[0] in others for source in sources for name in source.names.values())


def find_message(call: ast.Call) -> list[str]:
    """Return the constant parts of the message that a call logs; empty if it has none."""
    position = 1 if last_name(call.func) == "log" else 0
    message = keyword(call, "msg", position)
    return [part for text in _constant_texts(message) for part in _PLACEHOLDER.split(text) if part.strip()]


def _constant_texts(node: ast.expr | None) -> Iterator[str]:
    match node:
        case ast.JoinedStr(values=parts):
            yield from map(text_of, parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from _constant_texts(left)
            yield from _constant_texts(right)
        case ast.BinOp(left=text, op=ast.Mod()) | ast.Call(func=ast.Attribute(value=text, attr="format")):
            yield from _constant_texts(text)
        case _:
            yield text_of(node)


def explain_hidden(sources: tuple[Source, ...]) -> str:
    """Return why logged messages are not shown, and what to do, as the end of a sentence."""
    if outputs := _find_files(sources):
        is_added = outputs[0].name == "addHandler"
        levels = is_added and any(_sets_level(source, node) for source in sources for node in source.nodes)
        return outputs[0].explain(sets_level=levels or _sets_info(sources))
    source, call = next(iter(_find_basic_calls(sources)), (sources[0], None))
    level = f"level={_name_in(source, 'INFO')}"
    remedy = f"call {_name_in(source, 'basicConfig')}({level}) at the start of {source.path}"
    if call:
        remedy = f"pass {level} to basicConfig() on line {call.lineno} of {source.path}"
    return f"Python shows such messages only if logging is configured to show them: {_add_import(source, remedy)}"


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
        """Return where the messages go, and how to show them. ``sets_level``: whether the log level is low enough."""
        info, console = _name_in(self.source, "INFO"), f"{_name_in(self.source, 'StreamHandler')}()"
        level = "" if sets_level else f", and pass level={info}"
        remedy = f"remove the filename argument from that call{level}"
        if self.name == "addHandler" and isinstance(self.call.func, ast.Attribute):
            logger = ast.unparse(self.call.func.value)
            level = "" if sets_level else f" and {logger}.setLevel({info})"
            remedy = f"after that line, also call {logger}.addHandler({console}){level}"
        elif keyword(self.call, "handlers"):
            remedy = f"add {console} to handlers in that call{level}"
        where = f"{self.name}() on line {self.call.lineno} of {self.source.path}"
        return (
            f"{where} writes such messages to {self.file} instead of showing them: {_add_import(self.source, remedy)}"
        )


def _name_in(source: Source, name: str) -> str:
    """Return how code in a file must refer to a name from Python's ``logging`` module, given the file's imports."""
    written = {full: own for own, full in source.names.items()}
    return written.get(f"logging.{name}") or f"{written.get('logging', 'logging')}.{name}"


def _add_import(source: Source, remedy: str) -> str:
    """Return ``remedy``, with advice to import ``logging`` added if the file needs that import and lacks it."""
    is_missing = re.search(r"\blogging\.(?:[A-Z]|basicConfig)", remedy) and source.names.get("logging") != "logging"
    return f"{remedy}, and import logging at the top of {source.path}" if is_missing else remedy


def _find_files(sources: tuple[Source, ...]) -> list[_Output]:
    """Return the calls that write all log messages to files; an empty list if any message may be shown."""
    outputs = list(_find_outputs(sources))
    loggers = _find_logger_functions(sources)
    if not all(each.file for each in outputs) or any(_configures_logging(each, loggers) for each in sources):
        return []
    if any(_may_read(source, call, each.file) for each in outputs for source in sources for call in source.calls):
        return []
    added = [each for each in outputs if each.name == "addHandler"]
    return outputs if len(added) < len(outputs) or _adds_to_all(added, sources) else []


def _find_outputs(sources: tuple[Source, ...]) -> Iterator[_Output]:
    for source, scope in find_used(sources):
        for step in scope.steps:
            for call in step.calls:
                if last_name(call.func) in ("basicConfig", "addHandler"):
                    yield _Output(source, call, _name_log_file(source, call), not step.branch)


def _may_read(source: Source, call: ast.Call, file: str) -> bool:
    """Return whether a call may read a log file, or pass its name to a function that does."""
    if last_name(call.func) in _LEAVES_FILE or is_log_call(call):
        return False
    name = re.compile(rf"(?<![\w-]){re.escape(file.rpartition('/')[2])}(?!\w)")
    parts = [node for node in ast.walk(call) if isinstance(node, ast.Constant | ast.Name | ast.JoinedStr | ast.BinOp)]
    is_named = any(name.search(_name_file(source, node)) for node in parts)
    if not is_named and not any(last_name(node) == "baseFilename" for node in ast.walk(call)):
        return False
    is_method = isinstance(call.func, ast.Attribute) and _is_handler(source, call.func.value)
    return not is_method and not _is_handler(source, call)


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
    """Return the names of the functions that return either nothing or a logger from Python's ``logging`` module."""
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
    """Return the log file that ``basicConfig`` or ``addHandler`` sets up; empty if it may be a result file."""
    if has_unknown_arguments(call):
        return ""
    if last_name(call.func) == "addHandler":
        handler = keyword(call, "hdlr", 0)
        return _name_handled_file(source, handler) if handler else ""
    if name := keyword(call, "filename"):
        return _check_name(_name_file(source, name))
    handlers = keyword(call, "handlers")
    handlers = source.resolve(handlers) if handlers and not _is_used_elsewhere(source, handlers) else None
    files = [_name_handled_file(source, each) for each in getattr(handlers, "elts", ())]
    return files[0] if files and all(files) else ""


def _is_used_elsewhere(source: Source, node: ast.expr) -> bool:
    """Return whether an expression is a variable that is used more than once: another use may change its value."""
    name = node.id if isinstance(node, ast.Name) else ""
    used = (each for each in source.nodes if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load))
    return bool(name) and sum(each.id == name for each in used) > 1


def _name_handled_file(source: Source, handler: ast.expr) -> str:
    """Return the file to which a file handler writes; empty for other handlers, or if the file may be a result file."""
    handler = source.resolve(handler)
    if not isinstance(handler, ast.Call) or not _FILE_HANDLER.fullmatch(source.callee(handler)):
        return ""
    name = keyword(handler, "filename", 0)
    return "" if name is None or has_unknown_arguments(handler) else _check_name(_name_file(source, name))


def _check_name(name: str) -> str:
    """Return ``name``, or an empty string if it may be the name of a result file or a stream."""
    is_result = _RESULT_FILE.fullmatch(name.rpartition("/")[2])
    return "" if is_result or name.startswith("/dev/") else name


def _name_file(source: Source, node: ast.expr, depth: int = 0) -> str:
    """Return the path that an expression gives, with unknown parts in braces; folders may be left out.

    ``depth``: how deeply the expression is nested. Deeply nested variables are not resolved, as they may form a cycle.
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
    """Return whether ``basicConfig`` is called and the code sets a level at which ``info`` messages may appear."""
    basic = [call for _, call in _find_basic_calls(sources)]
    return any(has_unknown_arguments(call) or _may_show_info(keyword(call, "level")) for call in basic) or (
        bool(basic) and any(_sets_level(source, node) for source in sources for node in source.nodes)
    )


def _configures_logging(source: Source, known: Collection[str] | None = None) -> bool:
    """Return whether a file sets the handlers of a logger, or calls a function that seems to do so.

    ``known``: functions in the code that are checked elsewhere; if given, calls to them and ``addHandler`` are ignored.
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


def _sets_level(source: Source, node: ast.AST) -> bool:
    """Return whether a node sets a logger's level so that messages logged with ``info`` may be shown.

    A handler's level does not count: by itself, it shows nothing that the logger's level hides.
    """
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setLevel":
        return _may_show_info(keyword(node, "level", 0)) and not _is_handler(source, node.func.value)
    targets = node.targets if isinstance(node, ast.Assign) else []
    owners = [each.value for each in targets if isinstance(each, ast.Attribute) and each.attr == "level"]
    is_level = any(not _is_handler(source, owner) for owner in owners)
    return is_level and isinstance(node, ast.Assign) and _may_show_info(node.value)


def _is_handler(source: Source, node: ast.expr) -> bool:
    """Return whether an expression is certain to be a logging handler."""
    if isinstance(node, ast.Subscript):
        return last_name(node.value) == "handlers"
    if isinstance(node, ast.Call):
        return last_name(node.func).endswith("Handler")
    values = _find_values(source, node)
    return bool(values) and all(
        isinstance(each, ast.Call | ast.Subscript) and _is_handler(source, each) for each in values
    )


def _find_values(source: Source, node: ast.expr) -> list[ast.expr | None]:
    """Return everything that a file assigns to a variable or an attribute; None for a value that is unknown."""
    name = ast.unparse(node)
    values: list[ast.expr | None] = [None for each in source.nodes if isinstance(each, ast.arg) and each.arg == name]
    for step in (step for scope in source.scopes for step in scope.steps):
        looped = {ast.unparse(each.target): each.iter for each in step.nodes if isinstance(each, ast.For)}
        for target, value in step.assigned:
            if ast.unparse(target) == name:
                items = looped.get(name) if value is None else None
                values.append(ast.Subscript(items, ast.Constant(0)) if items else value)
    return values


def _may_show_info(level: ast.expr | None) -> bool:
    """Return whether messages logged with ``info`` may be shown at this level; None is the default level."""
    if level is None or (text_of(level) or last_name(level)).upper() in _HIDING_LEVELS:
        return False
    number = literal(level)
    return not (isinstance(number, int) and number > _LEVEL_OF_INFO)
