"""``epochal check``: show what a run would train, which values a search would try, and any problems, without training anything."""

import ast
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, TypedDict

import typer

from epochal.analysis.code import Code, read_code
from epochal.analysis.files import list_code_files
from epochal.analysis.findings import Finding, Severity, find_in_files, find_in_sources
from epochal.analysis.findings.metrics import (
    find_hidden_accuracy,
    find_measurement,
    find_metrics,
    find_written_accuracy,
)
from epochal.analysis.findings.source import Source
from epochal.analysis.frameworks import check_framework, frameworks
from epochal.analysis.missing_files import explain_adding, find_ignore_rule
from epochal.analysis.script import Script
from epochal.analysis.syntax import last_name
from epochal.commands.options import Json
from epochal.errors import Reason, RunFailed, SettingsError, UsageError
from epochal.git import GitError, GitFolder, explain_unsafe_link
from epochal.grammar import plural
from epochal.jobs.search.space import read_space
from epochal.jobs.search.suggested_space import suggest
from epochal.runtimes.requested import read_requested
from epochal.settings import RepositorySettings, find_line, read_repository_settings, table_lines

_SETTINGS = "epochal.toml"
_WITHOUT_KERAS = frozenset(
    {"joblib", "lightgbm", "matplotlib", "numpy", "pandas", "scipy", "seaborn", "sklearn", "xgboost"}
)
_WITHOUT_KERAS |= sys.stdlib_module_names - {"importlib", "runpy", "subprocess"}
"""Packages and modules that are known not to import Keras."""
_NO_REPOSITORY = Finding(
    "no_repository",
    ".",
    0,
    "The folder is not in a git repository, so there is no commit to train.",
    'In this folder, run git init, git add --all and git commit -m "First version".',
    Severity.ERROR,
)
_NO_COMMITS = replace(
    _NO_REPOSITORY,
    kind="no_commits",
    message="A run trains the latest commit, but the repository has no commits yet.",
    remedy='In this folder, run git add --all and git commit -m "First version".',
    severity=Severity.NOTE,
)
_NAMED_PLACE = re.compile(r"(?P<path>\S+)(?: cell (?P<cell>\d+))? line (?P<line>\d+)(?P<colon>: )?")

_REQUESTING_FILE = re.compile(r"requirements\.txt|uv\.lock|pyproject\.toml|environment\.ya?ml")
"""Matches file names in an error from ``read_requested``. The first one names the file that the error is about."""

_SETTING = re.compile(r"(?:there is no table )?(?:project (?P<number>\d+)(?: \(.*?\))?: )?\[{0,2}(?P<key>[\w.-]+)")
"""Matches the beginning of an error about a setting, such as ``project 2 (wine): threshold is not a setting``."""


class FindingView(TypedDict):
    """A finding in the output of ``epochal check --json``."""

    kind: str
    """The kind of finding, such as `unsafe_symlink`."""
    severity: str
    """`error`: a run would fail before training starts. `warning`: training may fail, the accuracy may be inflated or
    refused, or the server may refuse the requirements. `note`: something worth knowing."""
    path: str
    """The path of the file, relative to DIR."""
    line: int | None
    """The line, counted from 1 (in a notebook, within the cell); null if the finding concerns the whole file."""
    cell: int | None
    """In a notebook, the code cell (counted from 1) that contains `line`; null for other files."""
    message: str
    """What is wrong."""
    remedy: str
    """What to do about it."""


class FactView(TypedDict):
    """A value found in the source, with its location."""

    value: str | int
    """The value."""
    path: str
    """The path of the file, relative to DIR."""
    line: int
    """The line, counted from 1 (in a notebook, within the cell)."""
    cell: int | None
    """In a notebook, the code cell (counted from 1) that contains `line`; null for other files."""


class ProjectView(TypedDict):
    """What a run of the repository, or of one of its projects, would train."""

    project: str
    """The project's folder; empty if epochal.toml lists no projects."""
    can_start: bool
    """Whether a run would get as far as its first trial on a server that allows its requirements."""
    script: str | None
    """The script or notebook; null if none was found or the code cannot be analysed."""
    framework: str | None
    """The framework that the script trains with; null if it cannot be determined."""
    framework_why: str | None
    """The reason for choosing this framework."""
    epochs: FactView | None
    """The number of epochs, which a retrain would raise; null if none was found."""
    metric: FactView | None
    """The call, printed line, metric or file that the accuracy comes from; null if none was found in the source."""
    threshold: float | None
    """The accuracy to reach; null if epochal.toml is not valid."""
    search: list[str]
    """The constants that a search changes, with their possible values, as lines of TOML."""
    searchable: list[str]
    """The constants that a search could change, as lines of TOML; empty if `[search]` in epochal.toml lists any."""
    findings: list[FindingView]
    """The findings, errors first."""


class CheckView(TypedDict):
    """The output of ``epochal check --json``."""

    can_start: bool
    """Whether runs of all projects would get as far as their first trial on a server that allows their requirements."""
    projects: list[ProjectView]
    """The repository, or each of its projects."""


@dataclass(frozen=True)
class Checked:
    """The result of checking the repository or one project. ``settings``, ``code``: None if they cannot be read."""

    project: str
    settings: RepositorySettings | None
    code: Code | None
    sources: tuple[Source, ...]
    findings: tuple[Finding, ...]

    @property
    def can_start(self) -> bool:
        """Whether a run would get as far as its first trial."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)


def check(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The top-level folder of the repository, or of a project.")
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Show what a run would train, which values a search would try, and any problems, without training anything."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder. Pass the top-level folder of the repository, or of a project.")
    first, *others = check_folder(folder)
    checked = [replace(first, findings=(*_find_no_commit(folder), *first.findings)), *others]
    can_start = all(each.can_start for each in checked)
    if as_json:
        view: CheckView = {"can_start": can_start, "projects": [_view(each) for each in checked]}
        typer.echo(json.dumps(view, ensure_ascii=False))
    else:
        for line in check_lines(checked):
            typer.echo(line)
    raise typer.Exit(0 if can_start else 1)


def _find_no_commit(folder: Path) -> Iterator[Finding]:
    git = GitFolder(folder.absolute())
    if not git.exists():
        yield _NO_REPOSITORY
    elif git.is_empty():
        yield _NO_COMMITS


def check_folder(folder: Path) -> list[Checked]:
    """Check the code, committed or not, in ``folder`` or in each of the projects that its epochal.toml lists."""
    try:
        projects = read_repository_settings(folder).project
    except SettingsError as error:
        if not find_line(_read_settings(folder), "project"):
            return [_check_project(folder, "")]
        return [Checked("", None, None, (), tuple(_settings_findings(folder, str(error))))]
    missing = [
        _settings_finding(
            folder, f"project {number} ({project.path}): path is not a folder in the repository. {project.REMEDY}"
        )
        for number, project in enumerate(projects, start=1)
        if not (folder / project.path).is_dir()
    ]
    if missing:
        return [Checked("", None, None, (), tuple(missing))]
    return [_check_project(folder, project.path) for project in projects] or [_check_project(folder, "")]


def check_lines(checked: list[Checked]) -> list[str]:
    """Return the lines that ``epochal check`` prints: the facts and findings of each project, and a summary."""
    lines: list[str] = []
    for each in checked:
        lines += [f"{name + ':':<11} {value}" for name, value in _describe_facts(each)]
        for finding in each.findings:
            place = "" if finding.place == "." else f"{finding.place}: "
            lines += [f"{place}{finding.severity}: {finding.message}", f"    {finding.remedy}"]
    counts = [
        (severity, sum(finding.severity is severity for each in checked for finding in each.findings))
        for severity in reversed(Severity)
    ]
    found = ", ".join(plural(count, severity) for severity, count in counts if count)
    return [*lines, f"{found or 'nothing found'}; {_describe_outcome(checked)}"]


def _describe_outcome(checked: list[Checked]) -> str:
    kinds = {finding.kind for each in checked for finding in each.findings}
    if not all(each.can_start for each in checked):
        return "a run would fail before training starts"
    if Reason.REFUSED_REQUIREMENT.value in kinds:
        return 'a run would be refused unless the server\'s admin has set packages = "any"'
    return "a run can start after the first commit" if _NO_COMMITS.kind in kinds else "a run can start"


def _check_project(top: Path, project: str) -> Checked:
    folder = top / project
    settings, code, sources = None, None, tuple[Source, ...]()
    findings: list[Finding] = []
    try:
        settings = read_repository_settings(folder)
        if project and settings.project:
            raise SettingsError(
                f"{_SETTINGS}: project: a project cannot contain projects. Remove [[project]] from this file."
            )
        check_framework(settings.framework)
    except SettingsError as error:
        findings += _settings_findings(folder, str(error))
    try:
        # An invalid epochal.toml does not keep the script from being checked.
        script, framework = (
            (settings.script, settings.framework) if settings and not findings else (_read_script(folder), "")
        )
        code = read_code(folder, script, framework, is_commit=False)
        sources = code.sources
    except RunFailed as failure:
        findings.append(_failure_finding(failure))
    if code:
        committed, new, pointers = _list_commit(folder, code.script)
        untracked = _list_untracked(folder, code.script)
        findings += _check_search(folder, code.script, settings)
        findings += _check_metric(folder, code, sources, settings)
        findings += find_in_sources(sources, committed)
        findings += find_in_files(sources, code.detection, folder, committed, new, pointers, untracked)
        findings += _find_ignored_script(folder, code.script)
        findings += _find_unsafe_links(folder, committed)
        findings += _check_requested(folder, committed)
        findings += _find_removed_apis(folder, code)
        findings = [_in_notebook(finding, code.script) for finding in findings]
    order = {severity: number for number, severity in enumerate(reversed(Severity))}
    findings.sort(key=lambda finding: (order[finding.severity], finding.path, finding.cell, finding.line))
    return Checked(
        project,
        settings,
        code,
        sources,
        tuple(replace(finding, path=str(PurePosixPath(project, finding.path))) for finding in findings),
    )


def _list_commit(folder: Path, script: Script) -> tuple[list[str], list[str], list[str]]:
    """Return lists for the next commit (after ``git add --all``): all files, new or changed ones, and Git LFS files."""
    git = GitFolder(folder.absolute())
    try:
        committed = _list_paths(git, "ls-files", "--cached", "--others", "--exclude-standard")
        new = _list_paths(git, "ls-files", "--modified", "--others", "--exclude-standard")
        new += _list_paths(git, "diff", "--cached", "--name-only", "--relative")
        pointers = _list_paths(git, "ls-files", "--cached", "--others", ":(attr:filter=lfs)")
    except GitError:
        committed = new = pointers = []
    if script.committed_path not in committed:  # no repository yet, or one that ignores the folder
        committed = new = list_code_files(folder)
    return [path for path in committed if os.path.lexists(folder / path)], new, pointers


def _list_untracked(folder: Path, script: Script) -> list[str]:
    """Return the files that git neither tracks nor ignores; an empty list if the script is one of them."""
    try:
        untracked = _list_paths(GitFolder(folder.absolute()), "ls-files", "--others", "--exclude-standard")
    except GitError:
        return []
    return [] if script.committed_path in untracked else untracked


def _find_ignored_script(folder: Path, script: Script) -> Iterator[Finding]:
    """Yield an error if a .gitignore file keeps the script out of every commit."""
    path = script.committed_path
    try:
        listed = _list_paths(GitFolder(folder.absolute()), "ls-files", "--cached", "--others", "--exclude-standard")
    except GitError:
        return
    if path not in listed and (rule := find_ignore_rule(path, folder)):
        message = f"{path} would be left out of any commit: {rule} excludes it."
        yield Finding(Reason.NO_SCRIPT.value, path, 0, message, f"{explain_adding(path)}.", Severity.ERROR)


def _find_unsafe_links(folder: Path, committed: list[str]) -> Iterator[Finding]:
    for path in committed:
        if problem := explain_unsafe_link(folder, folder / path):
            message, _, remedy = problem.partition(". ")
            yield Finding("unsafe_symlink", path, 0, f"{message}.", remedy, Severity.ERROR)


def _list_paths(git: GitFolder, *arguments: str) -> list[str]:
    command, *options = arguments
    return [path.decode("utf-8", "replace") for path in git.run(command, "-z", *options).split(b"\0") if path]


def _check_search(folder: Path, script: Script, settings: RepositorySettings | None) -> Iterator[Finding]:
    try:
        read_space(script, settings.search if settings else {})
    except SettingsError as error:
        yield from _settings_findings(folder, str(error))


def _check_requested(folder: Path, committed: list[str]) -> Iterator[Finding]:
    """Yield a finding if a run could not read the committed file that lists the required packages."""
    try:
        read_requested(folder)
    except ModuleNotFoundError:  # a plain installation has no uv to read uv.lock
        return
    except RunFailed as failure:
        named = _REQUESTING_FILE.search(failure.explanation)
        path = named[0] if named else ""
        place = _NAMED_PLACE.match(failure.explanation)
        line = int(place["line"]) if place and place["path"] == path else 0
        text = failure.explanation[place.end() :] if place and line else failure.explanation.removeprefix(f"{path}: ")
        message, _, remedy = text.partition(". ")
        if path in committed:
            message = f"{message.removesuffix('.')}."
            yield Finding(failure.reason.value, path, line, message, remedy or "Correct the file.", Severity.ERROR)


def _check_metric(
    folder: Path, code: Code, sources: tuple[Source, ...], settings: RepositorySettings | None
) -> Iterator[Finding]:
    """Yield a finding if ``metric``, which chooses a result of Keras' evaluate(), is set for code without Keras."""
    local = {PurePosixPath(source.path).stem for source in sources}
    imported = {name.partition(".")[0] for source in sources for name in source.names.values()}
    nodes = [node for source in sources for node in source.nodes]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    may_report = any("EPOCHAL_OUT" in text or "accuracy.json" in text for text in texts)
    may_report |= any(last_name(call.func) in ("evaluate", "load") for source in sources for call in source.calls)
    if settings and settings.metric and imported <= _WITHOUT_KERAS | local and not may_report:
        problem = (
            f"metric: {code.script.path} does not use Keras, and this setting can choose only a metric that "
            "Keras' evaluate() returns. "
        )
        yield replace(_settings_finding(folder, f"{problem}Remove the setting."), severity=Severity.WARNING)


def _find_removed_apis(folder: Path, code: Code) -> Iterator[Finding]:
    """Yield a finding for each use of a removed API whose package is not listed in requirements.txt.

    A listed package may be pinned to an older version, which still has the API.
    """
    owners = {framework.TITLE: framework for framework in frameworks().values()}
    requirements = folder / "requirements.txt"
    text = requirements.read_text(encoding="utf-8", errors="replace") if requirements.is_file() else ""
    for api in code.removed_apis:
        owner = owners.get(api.owner, frameworks()[code.detection.framework])  # TensorFlow belongs to Keras
        names = "|".join([owner.TITLE, *owner.IMPORTS])
        if owner.IMPORTS and re.search(rf"^\s*(?:{names})\b", text, re.MULTILINE | re.IGNORECASE):
            continue
        yield Finding(
            "removed_api",
            code.script.path,
            api.line,
            f"{api.what} was removed from {api.owner}.",
            f"Use {api.instead}.",
        )


def _settings_findings(folder: Path, error: str) -> list[Finding]:
    """Return one finding for each line of an error about epochal.toml."""
    lines = error.replace(f"{folder / _SETTINGS}", _SETTINGS).removeprefix(f"{_SETTINGS}: ").split(f"\n{_SETTINGS}: ")
    return [_settings_finding(folder, line) for line in lines]


def _settings_finding(folder: Path, problem: str) -> Finding:
    place = _SETTING.match(problem)
    key = place["key"] if place else ""
    if place and place["number"]:
        key = f"project.{int(place['number']) - 1}.{key}"
    position = re.search(r"\(at line (\d+), ", problem)
    line = int(position[1]) if position else find_line(_read_settings(folder), key)
    message, _, remedy = problem.partition(". ")
    message = message.removeprefix("pyproject.toml: ")
    default = "Correct the line, or remove it" + ("." if key.startswith("search.") else " to use the default.")
    remedy = remedy or ("Add it." if message.endswith(" is missing.") else default)
    path = problem.partition(" ")[0].removesuffix(":") if message.endswith(" is not read") else _SETTINGS
    return Finding("settings", path, line, message.removesuffix(".") + ".", remedy, Severity.ERROR)


def _read_settings(folder: Path) -> str:
    path = folder / _SETTINGS
    return path.read_text(encoding="utf-8-sig", errors="replace") if path.is_file() else ""


def _read_script(folder: Path) -> str:
    """Return the ``script`` setting from an invalid epochal.toml; empty if it cannot be read."""
    found = re.search(r"""^script\s*=\s*(["'])([^"'\n]+)\1""", _read_settings(folder), re.MULTILINE)
    return found[2] if found else ""


def _failure_finding(failure: RunFailed) -> Finding:
    """Return a finding that describes a failure to read the code."""
    place = _NAMED_PLACE.match(failure.explanation)
    text = failure.explanation[place.end() :] if place and place["colon"] else failure.explanation
    path, line = (place["path"], int(place["line"])) if place else (".", 0)
    cell = int(place["cell"] or 0) if place else 0
    message, _, remedy = text.partition(". ")
    return Finding(
        failure.reason.value,
        path,
        line,
        message.removesuffix(".") + ".",
        remedy or failure.reason.remedy,
        Severity.ERROR,
        cell,
    )


def _in_notebook(finding: Finding, script: Script) -> Finding:
    """Return the finding, with the notebook's cell and line if it is in a script exported from a notebook."""
    if script.notebook is None or finding.path != script.path:
        return finding
    cell, line = script.notebook.find_cell(finding.line)
    message, remedy = (script.name_cells(text, is_own=True) for text in (finding.message, finding.remedy))
    return replace(finding, path=script.notebook.path, line=line, cell=cell, message=message, remedy=remedy)


def _view_fact(value: str | int, path: str, line: int, checked: Checked) -> FactView:
    """Return a FactView of a value. For a script exported from a notebook, it gives the notebook's cell and line."""
    assert checked.code is not None
    place = _in_notebook(Finding("", path, line, "", ""), checked.code.script)
    path = str(PurePosixPath(checked.project, place.path))
    return {"value": value, "path": path, "line": place.line, "cell": place.cell or None}


def _describe_place(fact: FactView) -> str:
    return Finding("", fact["path"], fact["line"], "", "", cell=fact["cell"] or 0).place


def _find_epochs(checked: Checked) -> FactView | None:
    """Return the number of epochs that the script trains for, with the location of the literal that sets it."""
    for epochs in checked.code.script.epochs[:1] if checked.code else ():
        return _view_fact(epochs.number, epochs.constant.path, epochs.constant.line, checked)
    return None


def _find_metric(checked: Checked) -> FactView | None:
    """Return how the accuracy is measured, according to epochal.toml and the source."""
    if written := find_written_accuracy(checked.sources):
        return _view_fact("accuracy.json", *written, checked)
    found = find_measurement(checked.sources)
    if found is None or _find_missing(checked):
        return None
    what, path, line = found
    names = [name for _, _, names in find_metrics(checked.sources) for name in names]
    if checked.settings and checked.settings.metric and what == "evaluate()":
        what = f"{checked.settings.metric}, measured by {what}"
    elif names and what == "evaluate()":
        what = f"{', '.join(dict.fromkeys(names))}, measured by {what}"
    return _view_fact(what, path, line, checked)


def _find_missing(checked: Checked) -> Finding | None:
    """Return the finding that the script reports no accuracy; None if it may report one."""
    return next((each for each in checked.findings if each.kind == "no_accuracy"), None)


def _explain_no_metric(checked: Checked) -> str:
    """Return what to do if no accuracy measurement was found in the script's source."""
    if missing := _find_missing(checked):
        return f"{missing.remedy[0].lower()}{missing.remedy[1:].removesuffix('.')}"
    hidden = find_hidden_accuracy(checked.sources)
    if hidden is None or checked.code is None:
        return "print a line like 'Test accuracy: 0.83'"
    path, line, why = hidden
    return f"{_describe_place(_view_fact('', path, line, checked))} {checked.code.script.name_cells(why)}"


def _find_search(checked: Checked) -> tuple[list[str], list[str]]:
    """Return two lists of TOML lines: the constants in [search] and, if there are none, those that it could contain."""
    if checked.code is None or checked.settings is None:
        return [], []
    if checked.settings.search:
        return table_lines("search", checked.settings.search)[1:], []
    return [], table_lines("search", suggest(checked.code.script))[1:]


def _describe_facts(checked: Checked) -> Iterator[tuple[str, str]]:
    if checked.project:
        yield "project", checked.project
    if checked.code is None:
        return
    script, detection = checked.code.script, checked.code.detection
    yield "script", script.committed_path
    yield "framework", f"{frameworks()[detection.framework].TITLE} ({script.name_cells(detection.why)})"
    epochs = _find_epochs(checked)
    if epochs:
        unused = "" if script.epochs[0].is_used else ", but no training call or loop seems to use it"
        yield "epochs", f"{epochs['value']} ({script.epochs[0].name} in {_describe_place(epochs)}){unused}"
    else:
        yield "epochs", "none that a retrain could raise"
    metric = _find_metric(checked)
    if metric:
        yield "metric", f"{metric['value']} in {_describe_place(metric)}"
    else:
        yield "metric", f"no accuracy measurement found in the source; {_explain_no_metric(checked)}"
    if checked.settings:
        certain = f", with a confidence of {checked.settings.confidence:g}" if checked.settings.confidence else ""
        default = "" if "threshold" in checked.settings.model_fields_set else " (the default)"
        yield "threshold", f"{checked.settings.threshold:g}{default}{certain}"
    search, searchable = _find_search(checked)
    if search:
        yield "search", "; ".join(search)
    elif searchable:
        names = ", ".join(line.partition(" = ")[0] for line in searchable)
        is_listed = checked.settings is not None and "search" in checked.settings.model_fields_set
        why = f"[search] in {_SETTINGS} is empty" if is_listed else f"{_SETTINGS} has no [search]"
        yield "search", f"nothing, because {why}; a search could change {names}"
    else:
        yield "search", "nothing"


def _view(checked: Checked) -> ProjectView:
    code, settings = checked.code, checked.settings
    search, searchable = _find_search(checked)
    return {
        "project": checked.project,
        "can_start": checked.can_start,
        "script": code.script.committed_path if code else None,
        "framework": code.detection.framework if code else None,
        "framework_why": code.script.name_cells(code.detection.why) if code else None,
        "epochs": _find_epochs(checked),
        "metric": _find_metric(checked),
        "threshold": settings.threshold if settings else None,
        "search": search,
        "searchable": searchable,
        "findings": [
            {
                "kind": finding.kind,
                "severity": finding.severity.value,
                "path": finding.path,
                "line": finding.line or None,
                "cell": finding.cell or None,
                "message": finding.message,
                "remedy": finding.remedy,
            }
            for finding in checked.findings
        ],
    }
