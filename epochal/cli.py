"""The command line: one place that registers the commands, prints an error and picks an exit status."""

import importlib
import os
import sys
import traceback

import typer

from epochal.errors import EpochalError
from epochal.folders import SCRIPT

COMMANDS = (
    "init",
    "status",
    "watch",
    "serve",
    "tunnel",
    "data",
    "mail",
    "run",
    "history",
    "show",
    "retrain",
    "cancel",
    "job",
    "jenkins",
)
"""The modules of ``epochal.commands``, in the order of ``epochal --help``; each has a function or a group of its name."""


def main() -> None:
    """Run the command that the command line asks for, and exit with its status."""
    status = _status()
    if "ngrok" in sys.modules:
        # The threads of ngrok's library (1.4.0) abort an interpreter that takes itself down in good order.
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


def make_app(*commands: str) -> typer.Typer:
    """Return the command line with ``commands``, or with all of them.

    Only the modules of these are imported: a job script should not wait for what it does not use.
    """
    app = typer.Typer(
        name="epochal",
        help=f"Commit {SCRIPT}, get one decisive mail.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(lambda: None)  # with a single command Typer would leave out its name
    for name in commands or COMMANDS:
        command = getattr(importlib.import_module(f"epochal.commands.{name}"), name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _status() -> int:
    try:
        make_app(*(name for name in sys.argv[1:2] if name in COMMANDS))()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except EpochalError as error:
        return _fail(str(error), error.exit_status)
    except BrokenPipeError:
        return 141  # whoever read our output has gone; as a shell says it: 128 + SIGPIPE
    except Exception:
        traceback.print_exc()
        return _fail("this is a fault of Epochal's own; the lines above say where", EpochalError.exit_status)
    return 0


def _fail(text: str, status: int) -> int:
    print(f"epochal: {text}", file=sys.stderr)  # noqa: T201 (the one place)
    return status
