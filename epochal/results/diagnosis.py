"""Explain why a trial failed, based on its exit status, how its script ended, its log, and what the runtime reports."""

import ast
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise

from epochal.analysis.detection import read_source
from epochal.analysis.findings.source import has_unknown_arguments, inputs_of, is_literal, keyword
from epochal.analysis.imports import find_import
from epochal.analysis.syntax import last_name, parse_tree, text_of
from epochal.errors import Reason
from epochal.grammar import join_words
from epochal.results.ending import Endings
from epochal.results.exceptions import TRACEBACK, Frame, Raised, find_last_exceptions, unwrap
from epochal.results.import_errors import explain_import_error
from epochal.results.remedies import (
    LOST_CHILD,
    Origin,
    explain_known,
    explain_lost_window,
    explain_memory,
    failed_to_spawn,
    find_calls_named,
    is_out_of_memory,
)

# ECMA-48 control sequences (colours, cursor movements), sequences that set a terminal's title, and other escapes.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

_MAX_QUOTE_LENGTH = 300
_LAST_LINES = 5

_REQUIRED_ARGUMENTS = re.compile(r"error: the following arguments are required: (?P<names>.+)")
_PARSERS = ("parse_args", "parse_known_args")
_USAGE = re.compile(r"\s*usage\b", re.IGNORECASE)

_SYNTAX = frozenset({"SyntaxError", "IndentationError", "TabError"})
_SIGNALS: dict[int, str] = {
    signal.SIGKILL: ", which often means that the machine ran out of memory. Try a smaller batch size.",
    signal.SIGILL: ": the server's processor lacks an instruction that the framework needs.",
    signal.SIGSEGV: ": a library crashed. Pin a different version of it in requirements.txt.",
}
_LAST_SIGNAL = 64


def diagnose(
    exit_status: int, reason: Reason | None, log_tail: str, origin: Origin, endings: Endings | None = None
) -> tuple[Reason, str] | None:
    """Return the reason why a trial failed, and an explanation with a remedy; None if it succeeded.

    ``exit_status``: that of the script; if signal n ended it, either -n or, as in a shell, 128 + n.
    ``reason``: TIMED_OUT, OUT_OF_MEMORY or KILLED, as reported by the runtime; if None, the reason is inferred from the
    exit status, the exceptions in ``endings`` and the end of the log, ``log_tail``.
    """
    if exit_status == 0 and reason is None:
        return None
    number = -exit_status if exit_status < 0 else exit_status - 128
    number = number if 0 < number <= _LAST_SIGNAL else 0
    if reason not in (None, Reason.KILLED, Reason.OUT_OF_MEMORY):
        return reason, reason.explanation
    lines = _render_lines(log_tail)
    exceptions = _find_exceptions(endings or Endings(), lines)
    # C++ prints no traceback, only a message ("terminate called after throwing … 'std::bad_alloc'").
    last_messages = [line for line in lines if line][-_LAST_LINES:] + [each.text for each in exceptions[:1]]
    if reason is Reason.OUT_OF_MEMORY or any(map(is_out_of_memory, last_messages)):
        refused = [each for each in exceptions if is_out_of_memory(each.text)]
        return Reason.OUT_OF_MEMORY, explain_memory(refused, _locate(refused, origin), origin)
    if number == signal.SIGTERM and endings and endings.children:  # the recorder ended a script that was stuck
        return explain_exceptions(endings.children[-1], origin)
    if (number or reason) and (explanation := explain_lost_window(last_messages, origin)):
        return Reason.NO_DISPLAY, explanation
    if number or reason:
        return Reason.KILLED, _explain_signal(number)
    return explain_exceptions(exceptions, origin) if exceptions else _explain_exit(exit_status, lines, origin, endings)


def _explain_exit(
    exit_status: int, lines: Sequence[str], origin: Origin, endings: Endings | None
) -> tuple[Reason, str]:
    """Explain an exit status that no exception explains. ``lines``: the lines of the log."""
    printed_lines = [line for line in lines if line.strip()]
    quote = (
        f' The last line of its output was: "{printed_lines[-1].strip()[:_MAX_QUOTE_LENGTH]}"'
        if printed_lines
        else " It printed nothing."
    )
    ending = endings.script if endings else None
    called = [frame for frame in ending.exit_frames if not frame.is_library] if ending and ending.exit_status else []
    where = f" on line {called[-1].line}" if called and called[-1].path == origin.script else ""
    if ending and any(frame.path.endswith(("/argparse.py", "/optparse.py")) for frame in ending.exit_frames):
        return Reason.SCRIPT_ERROR, (
            f"{origin.script} ended{where} while parsing its command line. Epochal runs it without arguments, so "
            f"{_provide_arguments(lines, origin)}.{quote}"
        )
    if ending and any("/click/" in frame.path for frame in ending.exit_frames):
        error = next((line for line in reversed(printed_lines) if line.startswith("Error: ")), "").strip()
        return Reason.SCRIPT_ERROR, (
            f"{origin.script} ended{where} while parsing its command line. Epochal runs it without arguments, so give "
            f"each required argument or option a default, as in default=20.{f' It printed: {error!r}' if error else quote}"
        )
    explanation = f"{origin.script} ended with exit status {exit_status}{where}; only 0 means success.{quote}"
    is_usage = shows_usage(printed_lines)
    if (is_usage or (called and _depends_on_subcommand(called[-1], origin))) and _chooses_no_subcommand(origin):
        explanation += f" Epochal runs the script without arguments, so {_provide_arguments([], origin)}."
    elif is_usage and "argv" in (read_source(origin.code, origin.script) or ""):
        explanation += " Epochal runs the script without arguments, so use fixed values instead of sys.argv."
    return Reason.SCRIPT_ERROR, explanation


def shows_usage(lines: Sequence[str]) -> bool:
    """Return whether the lines of a log contain a line that says how to use a command, as in "usage: nn.py [-h]"."""
    return any(map(_USAGE.match, lines))


def explain_missing_subcommand(origin: Origin) -> str:
    """Return why a run trained nothing if it probably lacked a subcommand (argparse), and a remedy; else empty."""
    if not _chooses_no_subcommand(origin):
        return ""
    remedy = _provide_arguments([], origin)
    return f"It trained nothing that Epochal could observe: Epochal runs it without arguments, so {remedy}."


def _chooses_no_subcommand(origin: Origin) -> bool:
    """Return whether the script has subcommands (argparse), but passes no literal arguments to its parser."""
    calls = [call for _, call in find_calls_named(_PARSERS, origin)]
    literals = [node for call in calls for each in inputs_of(call) for node in ast.walk(each) if text_of(node)]
    return bool(calls and not literals and find_calls_named(["add_subparsers"], origin))


def _depends_on_subcommand(frame: Frame, origin: Origin) -> bool:
    """Return whether a line of pushed code is in an ``if`` branch that runs if no subcommand is given (argparse)."""
    tree = parse_tree(read_source(origin.code, frame.path) or "")
    subparsers = [call for _, call in find_calls_named(["add_subparsers"], origin)]
    defaults = [each.arg for _, call in find_calls_named(["set_defaults"], origin) for each in call.keywords]
    names = {*(text_of(keyword(call, "dest")) for call in subparsers), *defaults} - {"", None}
    for node in ast.walk(tree) if tree else ():
        if not isinstance(node, ast.If) or not node.body[0].lineno <= frame.line <= (node.end_lineno or 0):
            continue
        parts = list(ast.walk(node.test))
        is_negative = any(isinstance(part, ast.Not | ast.Is | ast.NotEq | ast.NotIn) for part in parts)
        is_in_body = frame.line <= (node.body[-1].end_lineno or 0)
        if is_negative == is_in_body and any((text_of(part) or last_name(part)) in names for part in parts):
            return True
    return False


def _provide_arguments(lines: Sequence[str], origin: Origin) -> str:
    """Return how to change a script whose parser (argparse or optparse) refused an empty command line.

    ``lines``: the lines of the log, which contain the parser's error.
    """
    required = next((found for line in reversed(lines) if (found := _REQUIRED_ARGUMENTS.search(line))), None)
    names = required["names"].split(", ") if required else []
    subparsers = [call for _, call in find_calls_named(["add_subparsers"], origin)]
    if not names and not subparsers:
        source = read_source(origin.code, origin.script) or ""
        return "give each required argument a default" + ", and remove required=True" * ("required=True" in source)
    commands = {text_of(keyword(call, name)) for call in subparsers for name in ("dest", "metavar")}
    chosen = [name for name in names if name in commands or name.startswith("{")]
    options = [name for name in names if name.startswith("-")]
    positional = [name for name in names if name not in (*options, *chosen)]
    steps = _make_optional(positional, options)
    steps += [_choose_subcommand(origin, is_nested=len(subparsers) > 1)] if chosen or not names else []
    return ", and ".join(steps)


def _choose_subcommand(origin: Origin, *, is_nested: bool) -> str:
    """Return how to choose the subcommand that trains. ``is_nested``: whether the subcommands may have subcommands."""
    function, where = "parse_args", ""
    calls = find_calls_named(_PARSERS, origin)
    if len(calls) == 1:
        path, call = calls[0]
        function = last_name(call.func)
        where = "" if path == origin.script else f" on line {call.lineno} of {path}"
    added = {text_of(keyword(call, "name", 0)): (path, call) for path, call in find_calls_named(["add_parser"], origin)}
    names = [name for name in added if name]
    training = [name for name in names if re.search("train|fit", name, re.IGNORECASE)]
    step = f"pass the training subcommand to {function}(){where}"
    if not names or is_nested:
        return step
    named = (training if len(training) == 1 else names)[0]
    required = _find_required(*added[named], origin)
    options = [name for name in required if name.startswith("-")]
    steps = [f'{step}, as in {function}(["{named}"])']
    steps += _make_optional([name for name in required if name not in options], options, f" of {named}")
    return ", and ".join(steps)


def _make_optional(positional: Sequence[str], options: Sequence[str], whose: str = "") -> list[str]:
    """Return how to make arguments optional (argparse). ``whose``: names their subcommand, such as " of train"."""
    steps = [f'give {join_words(positional)}{whose} nargs="?" and a default'] if positional else []
    return steps + ([f"give {join_words(options)}{whose} a default instead of required=True"] if options else [])


def _find_required(path: str, parser: ast.Call, origin: Origin) -> list[str]:
    """Return the names of the arguments that a subcommand requires, as argparse's error would state them.

    ``path``: the file of ``parser``, the call that adds the subcommand. The arguments are those that are added to the
    call's result, or to the variable that holds it, up to the line where another value is assigned to that variable.
    """
    tree = parse_tree(read_source(origin.code, path) or "")
    assigned = [
        (node.lineno, last_name(target), ast.dump(node.value, include_attributes=True))
        for node in ast.walk(tree or ast.Module([], []))
        if isinstance(node, ast.Assign)
        for target in node.targets
    ]
    value = ast.dump(parser, include_attributes=True)
    line, variable = next(((line, name) for line, name, each in assigned if each == value and name), (0, ""))
    end = min((other for other, name, _ in assigned if name == variable and other > line), default=sys.maxsize)
    required = []
    for where, call in find_calls_named(["add_argument"], origin):
        owner = call.func.value if isinstance(call.func, ast.Attribute) else call
        is_held = variable and last_name(owner) == variable and line < call.lineno <= end
        if where != path or not (is_held or ast.dump(owner, include_attributes=True) == value):
            continue
        names = [text_of(each) for each in call.args]
        if names and all(names) and _is_required(call, names[0]):
            required.append("/".join(names))
    return required


def _is_required(call: ast.Call, name: str) -> bool:
    """Return whether a call to add_argument() certainly adds a required argument.

    ``name``: the first of the argument's names, such as ``-n`` in ``add_argument("-n", "--epochs")``.
    """
    if has_unknown_arguments(call):
        return False
    return is_literal(keyword(call, "required"), True) if name.startswith("-") else keyword(call, "nargs") is None


def _find_exceptions(endings: Endings, lines: list[str]) -> list[Raised]:
    """Return the chain of exceptions that made the script fail, latest first."""
    script = endings.script
    if script is None:
        return find_last_exceptions(lines)
    spawned = [child for child in endings.children if failed_to_spawn(child[0])]
    if spawned and script.raised and script.raised[0].name in LOST_CHILD:
        return list(spawned[-1])
    if script.raised and script.raised[0].name != "CalledProcessError":
        return list(script.raised)
    if script.exit_status and script.handled:
        return list(script.handled)
    if endings.children:  # a Python process that the script started has failed
        return list(endings.children[-1])
    return list(script.raised) or find_last_exceptions(lines)


def tail(log: str, lines: int = 20) -> str:
    """Return the last ``lines`` non-blank lines of a log, as a terminal would show them."""
    return "\n".join([line for line in _render_lines(log) if line.strip()][-lines:])


def _render_lines(log: str) -> list[str]:
    """Return the lines of a log as a terminal would show them, with carriage returns and backspaces applied."""
    rendered = []
    for line in _ANSI.sub("", log).split("\n"):
        states = [_CONTROL.sub("", _apply_backspaces(state)).rstrip() for state in line.split("\r")]
        rendered.append(next((state for state in reversed(states) if state), ""))
    return rendered


def _apply_backspaces(state: str) -> str:
    if "\b" not in state:
        return state
    rendered: list[str] = []
    for character in state:
        if character != "\b":
            rendered.append(character)
        elif rendered:
            rendered.pop()
    return "".join(rendered)


def _explain_signal(number: int) -> str:
    names = {known.value: known.name for known in signal.Signals}
    name = names.get(number, f"signal {number}" if number else "a signal")
    return f"Training was killed by {name}{_SIGNALS.get(number, '.')}"


def explain_exceptions(exceptions: Sequence[Raised], origin: Origin) -> tuple[Reason, str]:
    """Return the reason for an exception, and an explanation with the line of the pushed code that led to it.

    ``exceptions``: the exception and those that led to it, latest first.
    """
    real = unwrap(exceptions)
    last, quote = real[0], _quote(real[0])
    if last.name in _SYNTAX and last.frames:
        path, line = last.frames[-1].path, last.frames[-1].line
        return Reason.SYNTAX_ERROR, f"{path.rpartition('/')[2]} line {line}: {quote}"
    place = _locate(exceptions, origin)
    where = f"{_describe_place(last, place)}: " if place else ""
    reason, remedy = explain_known([last, *real[1:], *exceptions], place, origin) or (Reason.SCRIPT_ERROR, "")
    if reason is Reason.NO_NETWORK:
        return reason, f"{remedy} The error was: {where}{quote}"
    return reason, f"{where}{quote} {remedy}".rstrip()


def explain_swallowed_fit(exceptions: Sequence[Raised], origin: Origin) -> tuple[Reason, str]:
    """Return a reason, and an explanation with a remedy, for an exception that fit() raised and the script caught."""
    real = unwrap(exceptions)
    reason, remedy = explain_known([*real, *exceptions], _find_fit_call(exceptions), origin) or (
        Reason.SCRIPT_ERROR,
        "The model was not trained: correct the call to fit(), or the data passed to it.",
    )
    return reason, f"{describe_swallowed_fit(exceptions, origin)} {remedy}".rstrip()


def describe_swallowed_fit(exceptions: Sequence[Raised], origin: Origin) -> str:
    """Return a sentence about an exception that fit() raised and the script caught."""
    call, real = _find_fit_call(exceptions), unwrap(exceptions)
    where = ""
    if call:
        where = f" on line {call.line}" if call.path == origin.script else f" in {call.place}"
    own = real[0].own_frames
    cause = f" ({own[-1].place})" if own and call and own[-1] != call else ""
    return f"fit(){where} raised {_quote(real[0]).rstrip('.')}{cause}, but {origin.script} caught it and continued."


def _find_fit_call(exceptions: Sequence[Raised]) -> Frame | None:
    calls = (frame for frame, inner in pairwise(exceptions[0].frames) if inner.is_library and not frame.is_library)
    return next(calls, None)


def explain_printed_exceptions(log_tail: str, origin: Origin) -> tuple[Reason, str] | None:
    """Return the reason and an explanation for the last traceback in a log; None if there is no traceback."""
    exceptions = find_last_exceptions(_render_lines(log_tail)) if TRACEBACK in log_tail else []
    return explain_exceptions(exceptions, origin) if exceptions else None


def explain_failed_imports(errors: Mapping[str, str], output: str, origin: Origin) -> tuple[Reason, str]:
    """Return the reason why imports failed before training, and an explanation and remedy for each, ordered by line.

    ``errors``: for each module that cannot be imported, the exception and its message. ``output``: Python's
    output, in which only the last of these exceptions may have a traceback.
    """
    tracebacks = find_last_exceptions(_render_lines(output))
    explained = []
    for module, error in errors.items():
        name, _, message = error.partition(": ")
        is_last = module == list(errors)[-1]
        raised = tracebacks if is_last and tracebacks else [Raised(name, message)] if name else []
        statement = find_import(origin.code, origin.script, module)
        place = Frame(*statement) if statement else None
        explained.append((place, *_explain_failed_import(module, raised, place, origin)))
    explained.sort(
        key=lambda each: (each[0].path != origin.script, each[0].path, each[0].line) if each[0] else (True, "", 0)
    )
    return explained[0][1], "\n".join(explanation for _, _, explanation in explained)


def _explain_failed_import(
    module: str, exceptions: Sequence[Raised], place: Frame | None, origin: Origin
) -> tuple[Reason, str]:
    if not exceptions:
        return (
            Reason.IMPORT_ERROR,
            f"{origin.script} imports {module}, which cannot be imported in the training environment.",
        )
    real = unwrap(exceptions)[0]
    quote = _quote(real)
    where = f"{place.place}: " if place else f"Importing {module}: "
    reason, remedy = explain_known([real], place, origin) or explain_import_error(
        real, place, origin.code, origin.script
    )
    return reason, f"{where}{quote} {remedy}".rstrip()


def _quote(raised: Raised) -> str:
    text = raised.text
    if len(text) > _MAX_QUOTE_LENGTH:
        return f"{text[:_MAX_QUOTE_LENGTH].rpartition(' ')[0]} …"
    return text.rstrip(".: ") + "."


def _locate(exceptions: Sequence[Raised], origin: Origin) -> Frame | None:
    """Return the innermost line of pushed code that led to an exception, preferably in the script; None if unknown."""
    if not exceptions:
        return None
    real, script = unwrap(exceptions), origin.script
    last, frames = real[0], [frame for each in reversed([*exceptions, *real]) for frame in each.frames]
    own_frames = last.own_frames or [frame for frame in frames if not frame.is_library]
    # A library may have a file with the script's name. In a log, paths are absolute.
    found = [frame for frame in own_frames if frame.path == script or frame.path.endswith(f"/{script}")] or own_frames
    return found[-1] if found else None


def _describe_place(last: Raised, place: Frame) -> str:
    inner = last.own_frames[-1] if last.own_frames else place
    return place.place if inner.path == place.path else f"{place.place}, {inner.place}"
