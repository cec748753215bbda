"""The list of commands, which is shown without importing them."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest
import typer

from epochal.cli import COMMANDS, make_app


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_has_each_commands_own_help(name: str) -> None:
    """What ``epochal --help`` says of a command is the first paragraph of its own help."""
    found = getattr(importlib.import_module(f"epochal.commands.{name}"), name)
    text = found.info.help if isinstance(found, typer.Typer) else inspect.getdoc(found)
    assert text
    assert COMMANDS[name] == text.partition("\n\n")[0].replace("\n", " ")


def test_each_module_is_listed() -> None:
    """No command is left out: every module of the commands is one, but for the options that they share."""
    folder = importlib.import_module("epochal.commands").__path__[0]
    modules = {name for _, name, _ in pkgutil.iter_modules([folder])}
    assert modules == {*COMMANDS, "options"}


@pytest.mark.parametrize("command", [None, "history"])
def test_only_the_named_command_is_imported(command: str | None) -> None:
    """A list of the commands imports none of them, and a command imports no other one."""
    program = (
        f"import sys, epochal.cli; epochal.cli.make_app({command!r}); "
        "print(*(name for name in sys.modules if name.startswith('epochal.commands.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    others = {"epochal.commands.options", f"epochal.commands.{command}"}
    assert set(done.stdout.split()) <= others


def test_help_lists_all_commands_whichever_is_named() -> None:
    """The list does not depend on which command's module was imported."""
    group = typer.main.get_command(make_app("cancel"))
    assert list(group.commands) == list(COMMANDS)  # type: ignore[attr-defined]
