"""The list of commands, which ``epochal --help`` shows without importing them, and what each start imports."""

import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from epochal.app import App
from epochal.cli import COMMANDS, make_app
from epochal.records import EXIT_STATUS, Commit, Origin, State
from epochal.store.deliveries import accept_commit
from epochal.store.transitions import request_stop
from tests.jobs.chain import environment_of

_NEEDED_FOR_WORK = {
    "alembic",
    "docker",
    "epochal.git",
    "epochal.messages.mail.compose",
    "httpx",
    "jinja2",
    "ngrok",
    "numpy",
    "optuna",
    "rich",
    "scipy",
    "sqlalchemy.dialects.postgresql",
    "starlette",
    "uvicorn",
    "watchdog",
}
"""Modules that neither the help nor a job of an ended run needs. Importing them would slow down every start."""


def _list_imports(*arguments: str, status: int, **variables: str) -> set[str]:
    """Run ``epochal``, check its exit status, and return the names of all modules that it imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "epochal", *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize("name", COMMANDS)
def test_list_has_the_help_of_each_command(name: str) -> None:
    """The list has a copy of the first paragraph of each command's help, so that it needs no import."""
    command = getattr(importlib.import_module(f"epochal.commands.{name}"), name)
    text = command.info.help if isinstance(command, typer.Typer) else inspect.getdoc(command)
    assert text
    assert COMMANDS[name] == text.partition("\n\n")[0].replace("\n", " ")


def test_each_command_module_is_listed() -> None:
    """The module ``options`` is not a command: it holds the options that the commands share."""
    folder = importlib.import_module("epochal.commands").__path__[0]
    modules = {name for _, name, _ in pkgutil.iter_modules([folder])}
    assert modules == {*COMMANDS, "options"}


@pytest.mark.parametrize("command", [None, "history"])
def test_only_the_named_command_is_imported(command: str | None) -> None:
    """The list imports no command, and a command imports no other, so that every start is fast."""
    program = (
        f"import sys, epochal.cli; epochal.cli.make_app({command!r}); "
        "print(*(name for name in sys.modules if name.startswith('epochal.commands.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    allowed = {"epochal.commands.options", f"epochal.commands.{command}"}
    assert set(done.stdout.split()) <= allowed


def test_help_lists_all_commands() -> None:
    """The list does not depend on which command was imported."""
    group = typer.main.get_command(make_app("cancel"))
    assert list(group.commands) == list(COMMANDS)  # type: ignore[attr-defined]


def test_files_in_the_current_folder_hide_no_module(tmp_path: Path) -> None:
    """A folder with a random.py or logging.py can be checked with ``python -m epochal``, as with ``epochal``."""
    for name in ("random.py", "logging.py"):
        (tmp_path / name).write_text("raise SystemExit(__file__)\n")
    (tmp_path / "nn.py").write_text("print(1)\n")
    command = [sys.executable, "-m", "epochal", "check", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "framework:  Python" in done.stdout, done.stderr


def test_help_imports_no_library_of_the_server() -> None:
    """The help needs only Typer, and neither the settings nor the database."""
    imported = _list_imports("--help", status=0)
    assert "epochal.cli" in imported
    assert imported & {*_NEEDED_FOR_WORK, "pydantic", "sqlalchemy"} == set()


@pytest.mark.parametrize("name", ["train", "retrain"])
def test_job_without_work_imports_only_what_claiming_takes(home: Path, name: str) -> None:
    """The run has already ended, as if it had been cancelled while its job waited in Jenkins' queue."""
    app = App.open(environment_of(home))
    accepted = accept_commit(app.database, Commit("/srv/digits", "main", "a" * 40), Origin.PUSH, supersede="queued")
    request_stop(app.database, accepted.run, State.CANCELLED)
    app.database.close()
    imported = _list_imports(
        "job", name, status=EXIT_STATUS[State.CANCELLED], EPOCHAL_HOME=str(home), EPOCHAL_RUN=str(accepted.run)
    )
    assert "epochal.jobs.runner" in imported
    assert imported & _NEEDED_FOR_WORK == set()
