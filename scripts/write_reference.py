#!/usr/bin/env python3
"""Write the reference pages in docs/reference from the code: settings, commands, exit statuses, JSON, reasons.

Usage: scripts/write_reference.py

The texts come from the definitions: descriptions of settings, help texts of commands, and strings below fields and keys.
"""

import ast
import inspect
import json
import re
import signal
import sys
import textwrap
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import typer  # noqa: E402 (the line above makes these imports work when the script is run by its path)
from pydantic import BaseModel, SecretStr  # noqa: E402
from pydantic.fields import FieldInfo  # noqa: E402

from epochal.analysis.frameworks import frameworks  # noqa: E402
from epochal.cli import COMMANDS, make_app  # noqa: E402
from epochal.commands.check import CheckView, FactView, FindingView, ProjectView  # noqa: E402
from epochal.errors import EpochalError, Reason, RunFailed, UsageError  # noqa: E402
from epochal.pages.timeline import MomentView, TimelineView  # noqa: E402
from epochal.pages.view import AccuracyView, ForecastView, JudgementView, RunView, TrialView  # noqa: E402
from epochal.records import EXIT_STATUS, State, Step  # noqa: E402
from epochal.settings import Choices, Environment, Range, RepositorySettings, ServerSettings  # noqa: E402

FOLDER = ROOT / "docs" / "reference"
MARK = "<!-- Written from the code by make docs. -->"

COMMAND_PAGES = {
    "commands.md": ("init", "check", "status"),
    "commands-runs.md": ("run", "history", "show", "retrain", "cancel"),
    "commands-server.md": ("watch", "serve", "tunnel", "mail", "data"),
    "commands-jenkins.md": ("jenkins", "job"),
}
"""The commands that each page describes."""

ALL_COMMANDS = "[All commands](commands.md)"

SERVER_TABLES = {
    "settings-server.md": ("gateway", "repository"),
    "settings-training.md": ("limits", "sandbox", "images"),
    "settings-mail-jenkins.md": ("mail", "jenkins"),
}
"""The tables of server.toml that each page describes."""

LINKS: dict[Any, str] = {
    Reason: "[reason](reasons.md)",
    ProjectView: "[project](#projects)",
    FactView: "[fact](#facts)",
    FindingView: "[finding](#findings)",
    Step: "[step](#steps)",
    TrialView: "[trial](json-trials.md)",
    MomentView: "[moment](#moments)",
    JudgementView: "[judgement](json-judgements.md)",
    ForecastView: "[forecast](json-judgements.md#forecast)",
}
"""The text that a page shows for a type that is described elsewhere."""

SIMPLE: dict[Any, str] = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "`true` or `false`",
    Path: "path",
    type(None): "null",
}

NAMES = (
    r"``(.+?)``",
    r"\{ [a-z]+ = [^{}]*\}",  # { low = 1, high = 4 }
    r"\bnltk:\w+",  # a dataset of epochal data fetch
    r"(?<![\w$])\$?[A-Z]+(?:_[A-Z]+)+(?:/[\w.-]*\w)?",  # $EPOCHAL_HOME/webhook-secret
    r"(?<!\w)[\w/*-]+\.(?:toml|txt|py|json|log|sh)\b",  # nn.py
    r"\bepochal (?:data fetch|jenkins check|" + "|".join(COMMANDS) + r")(?: --runtime process| --[a-z-]+)?\b",
    r'\b[a-z]+ = (?:"\w+"|\d+)',  # epochs = 20
    r"\b\w+\([^()]*\)",  # evaluate()
    r"\[[a-z]+\]",  # [search]
    r'"[a-z]+(?:_[a-z]+)+"|\b[a-z]+(?:_[a-z]+)+\b',  # max_epochs
)
"""The patterns of code in a text: words in double backticks, and words that look like the examples."""

SEARCH_EXAMPLE = """\
```toml
[search]
learning_rate = { low = 1e-4, high = 1e-1, log = true }
dropout = { low = 0.0, high = 0.5, step = 0.1 }
filters = { choices = [8, 16, 32, 64] }
```
"""

STATUSES = {
    EXIT_STATUS[State.REACHED]: "The job is done, or had nothing to do.",
    EXIT_STATUS[State.FAILED]: "The run failed; its [reason](reasons.md) says what to do.",
    EXIT_STATUS[State.BELOW]: "After the train job, the retrain job follows; after that, [nothing is left to "
    "try](reasons-below.md).",
    EXIT_STATUS[State.SUPERSEDED]: "A newer commit on the branch replaced the run's commit.",
    EXIT_STATUS[State.CANCELLED]: "The run was cancelled by a person, or the commit's message says to skip it.",
    UsageError.exit_status: "An argument, a variable or a setting is wrong; the message names it. The embedded chain tries "
    "again until the error is corrected.",
    EpochalError.exit_status: "Internal error, or the database does not answer for two minutes. The chain starts "
    "the job again, and fails the run after three attempts.",
}
"""The meaning of each exit status of a job script."""

OTHER_STATUSES = {
    0: "Done. Also `epochal serve` and `epochal tunnel` when they are stopped.",
    1: "`epochal check`: a run would fail before training starts. `epochal mail`: a mail could not be sent. `epochal jenkins "
    "check`: a check failed. `epochal jenkins`: Jenkins refuses or does not answer. `epochal data fetch`: no Docker engine "
    "answers, or the image cannot be built.",
    UsageError.exit_status: "An argument, a variable or a setting is wrong, or an extra is missing; the message names it.",
    EpochalError.exit_status: "Internal error, with a traceback, or the database does not answer.",
    128 + signal.SIGINT: "Ctrl-C.",
    128 + signal.SIGPIPE: "The reader of the output is gone.",
}
"""The meaning of each exit status of the other commands."""


def code(value: object) -> str:
    """Return a value as code in Markdown."""
    return f"`` {value} ``" if "`" in str(value) else f"`{value}`"


def marked_up(text: str) -> str:
    """Return a docstring, a description or a help text as one line of Markdown, with names formatted as code."""
    return _code_in_text().sub(lambda found: code(found[1] or found[0]), " ".join(text.split()))


@cache
def _code_in_text() -> re.Pattern[str]:
    """Return a pattern that matches code in a text, including settings. Group 1 is a name in double backticks."""
    settings = []
    for model in (RepositorySettings, ServerSettings):
        for name, field in model.model_fields.items():
            for inner in tables_in(field):
                keys = "|".join(each.alias or key for key, each in inner.model_fields.items())
                settings.append(rf"\[{name}\] (?:{keys})\b")  # [limits] minutes
    return re.compile("|".join([*settings, *NAMES]))


def any_of(words: Iterable[str]) -> str:
    """Join words into a list with *or* before the last one."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def page(title: str, *parts: str) -> str:
    """Return a page: a title, a note that this script wrote it, and the parts, with their prose wrapped."""
    blocks = [block for part in parts for block in part.strip("\n").split("\n\n") if block]
    wrapped = [block if block.startswith(("|", "#", "```")) else fill(block) for block in blocks]
    return "\n\n".join([f"# {title}", MARK, *wrapped]) + "\n"


def fill(paragraph: str) -> str:
    """Wrap a paragraph to lines of at most 120 characters."""
    return textwrap.fill(paragraph, 120, break_long_words=False, break_on_hyphens=False)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table without its empty columns."""
    grid = [headings, *rows]
    kept = [column for column in zip(*grid, strict=True) if any(column[1:])]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in zip(*kept, strict=True)]
    return "\n".join([lines[0], "|" + " --- |" * len(kept), *lines[1:]])


def texts_below(owner: type) -> dict[str, str]:
    """Return the docstring below each field of a class, by field name."""
    definition = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    assert isinstance(definition, ast.ClassDef)
    texts = {}
    for field, text in pairwise(definition.body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            texts[ast.unparse(field.target)] = str(text.value.value)
    return texts


def words_for(kind: Any) -> list[str]:
    """Return the words for a type annotation, as one text per alternative."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind in LINKS or kind in SIMPLE:
        return [LINKS.get(kind) or SIMPLE[kind]]
    if origin is typing.Annotated:
        return words_for(parts[0])
    if origin is typing.Literal:
        return [code(part) for part in parts]
    if origin in (typing.Union, types.UnionType):
        words = dict.fromkeys(word for part in parts for word in words_for(part))
        return [word for word in words if word != SIMPLE[int] or SIMPLE[float] not in words]
    if origin is dict:
        return [f"{plural(parts[1])} by name"]
    if origin in (list, tuple):
        return [f"list of {plural(parts[0])}"]
    if issubclass(kind, Enum):
        return [code(member.value) for member in kind]
    raise TypeError(f"There are no words for the type {kind}.")


def type_in_words(kind: Any) -> str:
    """Return a type annotation in words, such as ``whole number or null``."""
    return any_of(words_for(kind))


def plural(kind: Any) -> str:
    """Return the plural of a type in words, such as ``texts``, or ``values`` if the type has several alternatives."""
    words = words_for(kind)
    return re.sub(r"\]|$", lambda end: f"s{end[0]}", words[0], count=1) if len(words) == 1 else "values"


def limits_in_words(field: FieldInfo) -> str:
    """Return the range of a setting's value, such as ``1 to 10``."""
    names = ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern")
    found = {name: getattr(item, name) for item in field.metadata for name in names if hasattr(item, name)}
    found = {name: value for name, value in found.items() if value is not None}
    if {"ge", "le"} <= set(found):
        return f"{found['ge']} to {found['le']}"
    words = {
        "ge": "at least {}",
        "gt": "over {}",
        "le": "at most {}",
        "lt": "under {}",
        "min_length": "not empty",
        "max_length": "at most {} characters",
        "pattern": "matches {}",
    }
    return ", ".join(words[name].format(code(value) if name == "pattern" else value) for name, value in found.items())


def values_in_words(field: FieldInfo) -> str:
    """Return the type and the range of a setting's value."""
    types_in_words = any_of(word for word in words_for(field.annotation) if word != SIMPLE[type(None)])
    return ", ".join(filter(None, [types_in_words, limits_in_words(field)]))


def tables_in(field: FieldInfo) -> list[type[BaseModel]]:
    """Return the models of the tables in a setting, directly or in a list; empty for a plain setting."""
    kinds = [field.annotation, *typing.get_args(field.annotation)]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def settings_table(model: type[BaseModel]) -> str:
    """Return a table of the plain settings in a Pydantic model."""
    texts, rows = texts_below(model), []
    for name, field in model.model_fields.items():
        if tables_in(field) or name == "search":  # these have separate sections
            continue
        default = "required" if field.is_required() else code(json.dumps(field.default, ensure_ascii=False))
        values = any_of(map(code, frameworks())) if name == "framework" else values_in_words(field)
        meaning = marked_up(field.description or texts[name])
        rows.append((code(field.alias or name), "" if default == "`null`" else default, values, meaning))
    return table(("setting", "default", "values", "meaning"), rows)


def settings_sections(model: type[BaseModel], names: Iterable[str]) -> Iterator[str]:
    """Yield the section about each of the tables ``names`` of a settings file: a heading, a text and a table."""
    for name in names:
        field = model.model_fields[name]
        for inner in tables_in(field):
            heading = f"[{name}]" if inner is field.annotation else f"[[{name}]]"
            yield f"## `{heading}`\n\n{marked_up(field.description or '')}\n\n{settings_table(inner)}"


def settings_repository() -> str:
    """Return the page about epochal.toml."""
    search = RepositorySettings.model_fields["search"]
    return page(
        "epochal.toml",
        "The settings that are pushed with the code, in a file next to `nn.py`. `epochal init` writes the file, with every "
        "setting commented out.",
        settings_table(RepositorySettings),
        *settings_sections(RepositorySettings, ["retrain"]),
        f"## `[search]`\n\n{marked_up(search.description or '')}",
        SEARCH_EXAMPLE,
        "A constant has either a range or choices.",
        settings_table(Range),
        "Whole numbers are proposed if `low`, `high` and `step` are all written as whole numbers.",
        settings_table(Choices),
    )


def settings_server() -> str:
    """Return the page about server.toml."""
    return page(
        "server.toml",
        "The settings of a server, which only its admin writes, in `$EPOCHAL_HOME/server.toml`. `epochal watch` creates "
        "the file, with every other setting commented out. Other pages have the tables for "
        "[training](settings-training.md) (`[limits]`, `[sandbox]`, `[images]`) and for "
        "[mail and Jenkins](settings-mail-jenkins.md).",
        settings_table(ServerSettings),
        *settings_sections(ServerSettings, SERVER_TABLES["settings-server.md"]),
    )


def settings_training() -> str:
    """Return the page about the tables of server.toml that limit training."""
    return page(
        "server.toml: training",
        "What pushed code may use while it trains, and how its environment is built. These tables are part of "
        "[`server.toml`](settings-server.md) and apply to every repository of the server.",
        *settings_sections(ServerSettings, SERVER_TABLES["settings-training.md"]),
    )


def settings_mail_jenkins() -> str:
    """Return the page about the tables of server.toml for the mail server and Jenkins."""
    return page(
        "server.toml: mail and Jenkins",
        "The services that Epochal connects to. These tables are part of [`server.toml`](settings-server.md).",
        *settings_sections(ServerSettings, SERVER_TABLES["settings-mail-jenkins.md"]),
    )


def environment() -> str:
    """Return the page about environment variables."""
    texts = texts_below(Environment)
    own: list[Sequence[str]] = []
    secrets: list[Sequence[str]] = []
    others: list[Sequence[str]] = []
    for name, field in Environment.model_fields.items():
        meaning, variable = marked_up(texts[name]), code(field.alias)
        if SecretStr in typing.get_args(field.annotation):
            secrets.append((variable, meaning))
        else:
            rows = own if str(field.alias).startswith("EPOCHAL_") else others
            rows.append((variable, "`1` or `0`" if field.annotation is bool else values_in_words(field), meaning))
    return page(
        "Environment variables",
        table(("variable", "values", "meaning"), own),
        "An empty variable counts as not set. Any other name that begins with `EPOCHAL_` is an error.",
        "## Secrets",
        "Each may also be set as the path of a file that contains it: `NAME_FILE` instead of `NAME`.",
        table(("variable", "meaning"), secrets),
        "## Variables that others set",
        "Jenkins sets these variables for a build, and the embedded chain sets all of them except `BUILD_TAG`.",
        table(("variable", "values", "meaning"), others),
    )


def commands_in(name: str) -> Iterator[tuple[str, Any]]:
    """Yield the full name and the definition of a command, or of each of its subcommands."""
    group: Any = typer.main.get_command(make_app(name))
    command = group.commands[name]
    for inner in getattr(command, "commands", {}).values():
        yield f"epochal {name} {inner.name}", inner
    if not hasattr(command, "commands"):
        yield f"epochal {name}", command


def parameter_row(parameter: Any) -> tuple[str, str, str]:
    """Return the table row for an argument or option: how to type it, its default, and its help text."""
    kind = parameter.type_descriptor.annotation
    value = parameter.metavar or parameter.name.upper()
    if typing.get_origin(kind) is typing.Literal:
        value = "|".join(typing.get_args(kind))
    typed = value if parameter.param_type_name == "argument" else " ".join([parameter.opts[0], value])
    if getattr(parameter, "is_flag", False):
        typed = parameter.opts[0]
    default = "" if parameter.default in (None, False) or parameter.required else code(parameter.default)
    least = f" At least {parameter.min}." if parameter.min is not None and parameter.param_type_name == "option" else ""
    return code(typed), default, marked_up(parameter.help or "") + least


def command_section(name: str, command: Any) -> str:
    """Return the section about a command."""
    rows = [parameter_row(parameter) for parameter in command.params]
    parts = [f"## {name}", marked_up(command.help)]
    return "\n\n".join([*parts, table(("argument or option", "default", "meaning"), rows)] if rows else parts)


def command_sections(names: Iterable[str]) -> list[str]:
    """Return the sections about commands."""
    return [command_section(full, command) for name in names for full, command in commands_in(name)]


def commands() -> str:
    """Return the page that lists all commands and describes those that set up a repository."""
    pages = {name: "" if file == "commands.md" else file for file, names in COMMAND_PAGES.items() for name in names}
    rows = []
    for name, text in COMMANDS.items():
        first = next(full.replace(" ", "-") for full, _ in commands_in(name))
        rows.append((f"[`epochal {name}`]({pages[name]}#{first})", marked_up(text)))
    return page(
        "Commands",
        table(("command", "what it does"), rows),
        "`--help` after a command prints its options, `epochal --version` the version. The "
        "[exit statuses](exit-statuses.md) are on another page.",
        *command_sections(COMMAND_PAGES["commands.md"]),
    )


def commands_runs() -> str:
    """Return the page about the commands that start and show runs."""
    return page("Commands for runs", ALL_COMMANDS, *command_sections(COMMAND_PAGES["commands-runs.md"]))


def commands_server() -> str:
    """Return the page about the commands for admins."""
    return page("Commands on the server", ALL_COMMANDS, *command_sections(COMMAND_PAGES["commands-server.md"]))


def commands_jenkins() -> str:
    """Return the page about the commands for Jenkins and those that the job scripts call."""
    names = COMMAND_PAGES["commands-jenkins.md"]
    return page("Commands for Jenkins and the job scripts", ALL_COMMANDS, *command_sections(names))


def jenkins_results() -> dict[int, str]:
    """Return the build result that the Jenkinsfile sets for each exit status; a status not listed is a FAILURE."""
    found = re.search(r"def results = \[(.*)\]", (ROOT / "Jenkinsfile").read_text("utf-8"))
    assert found
    return {int(status): result for status, result in re.findall(r"(\d+): '(\w+)'", found[1])}


def exit_statuses() -> str:
    """Return the page about exit statuses."""
    known = {*EXIT_STATUS.values(), RunFailed.exit_status, UsageError.exit_status, EpochalError.exit_status}
    rows = []
    for status in sorted(known):
        states = ", ".join(code(state.value) for state, number in EXIT_STATUS.items() if number == status)
        rows.append((str(status), states, STATUSES[status], jenkins_results().get(status, "FAILURE")))
    stopped = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    numbers = any_of(f"{128 + number} ({number.name})" for number in stopped)
    rows.append((numbers, "", "A signal stopped the job. Its run is continued later.", "ABORTED or FAILURE"))
    return page(
        "Exit statuses",
        "## Job scripts, `epochal job`, `epochal run`, `epochal retrain`",
        table(("status", "state of the run", "meaning", "Jenkins"), rows),
        "The last column is the build result that the `Jenkinsfile` sets. The three jobs have the same results: they are set "
        "to turn status 3 into UNSTABLE, and the gateway stops the build of a superseded or cancelled run before its script "
        "ends; without a gateway, such a build is a FAILURE. A build that a signal stopped is ABORTED if Jenkins stopped it.",
        "## Other commands",
        table(("status", "meaning"), [(str(int(status)), text) for status, text in OTHER_STATUSES.items()]),
    )


def view_table(view: type, without: type | None = None) -> str:
    """Return a table of a view's keys, except those that the view ``without`` has, too."""
    left_out = set(typing.get_type_hints(without)) if without else set()
    hints = {name: kind for name, kind in typing.get_type_hints(view).items() if name not in left_out}
    texts = texts_below(view)
    rows = [(code(name), type_in_words(kind), marked_up(texts[name])) for name, kind in hints.items()]
    return table(("key", "type", "meaning"), rows)


def json_run() -> str:
    """Return the page about the JSON of a run."""
    return page(
        "JSON of a run",
        "`epochal show RUN --json` and `epochal run --json` print one object, `epochal history --json` a list of them, newest "
        "first.",
        view_table(RunView),
        "## Timeline",
        "`epochal show RUN --timeline --json` prints one object.",
        view_table(TimelineView),
        "### Moments",
        view_table(MomentView),
        "### Steps",
        f"In the order of a run: {', '.join(code(step.label) for step in Step)}.",
    )


def json_check() -> str:
    """Return the page about the JSON of a check."""
    return page(
        "JSON of a check",
        "`epochal check --json` prints one object. Its exit status is 0 if `can_start` is true, and 1 otherwise. [What is "
        "found](../how-to/check.md)",
        view_table(CheckView),
        "## Projects",
        view_table(ProjectView),
        "## Facts",
        view_table(FactView),
        "## Findings",
        view_table(FindingView),
    )


def json_trials() -> str:
    """Return the page about the JSON of a trial."""
    return page(
        "JSON of a trial",
        "Each of the `trials` of a [run](json.md) is an object with the keys of the first two tables.",
        view_table(TrialView, AccuracyView),
        "## Accuracy",
        view_table(AccuracyView),
    )


def json_judgements() -> str:
    """Return the page about the JSON of a judgement and a forecast."""
    return page(
        "JSON of a judgement and a forecast",
        "A [trial](json-trials.md) has both under the keys `judgement` and `forecast`.",
        "## Judgement",
        view_table(JudgementView),
        "## Forecast",
        view_table(ForecastView),
    )


def reason_groups() -> dict[str, list[Reason]]:
    """Return the reasons, grouped by the comments above them in the definition."""
    groups: dict[str, list[Reason]] = {}
    for heading, name in re.findall(r"^    (?:# (.+)\.$|([A-Z_]+) = )", inspect.getsource(Reason), re.MULTILINE):
        if heading:
            groups[heading] = []
        else:
            groups[list(groups)[-1]].append(Reason[name])
    return groups


def reason_sections(groups: dict[str, list[Reason]]) -> list[str]:
    """Return a heading and a table for each group of reasons."""
    headings = ("reason", "what happened", "what to do")
    return [
        f"## {heading}\n\n"
        + table(headings, [(code(each.value), marked_up(each.description), marked_up(each.remedy)) for each in group])
        for heading, group in groups.items()
    ]


def reasons() -> str:
    """Return the page about runs that fail."""
    groups = dict(list(reason_groups().items())[:2])
    return page(
        "When a run fails",
        "The mail, `epochal show` and `epochal history` name the reason. Correct its cause, then push a new commit or train "
        "the same one again with `epochal run`. Other pages have the reasons of runs that [the server or a "
        "service](reasons-server.md) made fail, and of runs that [end below their threshold](reasons-below.md).",
        *reason_sections(groups),
    )


def reasons_server() -> str:
    """Return the page about runs that fail because of the server or a service that it uses."""
    groups = dict(list(reason_groups().items())[2:3])
    return page(
        "When the server fails a run",
        "The code is not the cause of these failures, unless a package in `requirements.txt` cannot be installed. The reasons "
        "of runs whose code failed are on [another page](reasons.md).",
        *reason_sections(groups),
    )


def reasons_below() -> str:
    """Return the page about runs that end below their threshold, and trials and runs that are stopped."""
    groups = dict(list(reason_groups().items())[3:])
    return page(
        "When a run ends below its threshold or is stopped",
        "The mail, `epochal show` and `epochal history` name the reason. Failed runs have other reasons: "
        "[the code failed](reasons.md), or [the server](reasons-server.md).",
        *reason_sections(groups),
    )


PAGES = {
    "commands.md": commands,
    "commands-jenkins.md": commands_jenkins,
    "commands-runs.md": commands_runs,
    "commands-server.md": commands_server,
    "environment.md": environment,
    "exit-statuses.md": exit_statuses,
    "json.md": json_run,
    "json-check.md": json_check,
    "json-judgements.md": json_judgements,
    "json-trials.md": json_trials,
    "reasons.md": reasons,
    "reasons-below.md": reasons_below,
    "reasons-server.md": reasons_server,
    "settings-repository.md": settings_repository,
    "settings-mail-jenkins.md": settings_mail_jenkins,
    "settings-server.md": settings_server,
    "settings-training.md": settings_training,
}
"""The pages in docs/reference that this script writes, with the functions that return them."""


def main() -> None:
    """Write the pages."""
    if sys.argv[1:]:
        sys.exit(__doc__)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, write in PAGES.items():
        (FOLDER / name).write_text(write(), "utf-8")
        print(f"docs/reference/{name}")


if __name__ == "__main__":
    main()
