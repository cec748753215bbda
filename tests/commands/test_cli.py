"""The list of commands, which ``epochal --help`` shows without importing them."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest
import typer

from epochal.cli import COMMANDS, make_app


@pytest.mark.parametrize("name", COMMANDS)
def test_list_has_the_help_of_each_command(name: str) -> None:
    """The list has a copy of the first paragraph of each command's help, so that it needs no import."""
    command = getattr(importlib.import_module(f"epochal.commands.{name}"), name)
    text = command.info.help if isinstance(command, typer.Typer) else inspect.getdoc(command)
    assert text
    assert COMMANDS[name] == text.partition("\n\n")[0].replace("\n", " ")


def test_each_command_module_is_listed() -> None:
    """The module ``options`` is no command: it has the options that commands share."""
    folder = importlib.import_module("epochal.commands").__path__[0]
    modules = {name for _, name, _ in pkgutil.iter_modules([folder])}
    assert modules == {*COMMANDS, "options"}


@pytest.mark.parametrize("command", [None, "history"])
def test_only_the_named_command_is_imported(command: str | None) -> None:
    """The list imports no command, and a command imports no other one, so that each start is fast."""
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
