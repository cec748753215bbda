"""The command line: register the commands, print their errors, and choose the exit status."""

import gc
import importlib
import os
import sys
import traceback
from types import ModuleType
from typing import Annotated

import typer

from epochal import __version__
from epochal.errors import EpochalError, UsageError

COMMANDS = {
    "init": "Set up a folder so that its commits are pushed automatically. Repeating the same command changes nothing.",
    "check": "Show what a run would train, which values a search would try, and any problems, without training anything.",
    "status": "Show whether a commit was pushed and delivered to Epochal, and the state of its runs.",
    "watch": "Add a repository to server.toml so that each push to the repository starts a run.",
    "serve": "Run the gateway and the chain until stopped.",
    "tunnel": "Keep an ngrok tunnel to the gateway open. If a GitHub token is set, register the tunnel's address with GitHub.",
    "mail": "Send the emails that could not be sent when their runs ended.",
    "run": "Train one commit in the foreground, without a server or a webhook.",
    "history": "List the runs in EPOCHAL_HOME, newest first.",
    "show": "Show what happened in a run.",
    "retrain": "Run the retrain job of a run, or join its search. To join from another machine, share EPOCHAL_HOME with it.",
    "cancel": "Cancel a run that has not ended. Its training is stopped, and no email is sent.",
    "data": "Download datasets for code that trains without network access.",
    "job": "Run one job of the chain; called by scripts/*.sh.",
    "jenkins": "Manage Epochal's jobs and their view in Jenkins.",
}
"""The modules of ``epochal.commands`` and their help texts, in the order of ``epochal --help``.

Each module has a function or a Typer group with the same name. The help texts are here so that ``--help`` imports none
of the modules.
"""

EXTRAS = {
    "jenkins": "jenkins",
    "jenkins_jobs": "jenkins",
    "jupytext": "notebook",
    "optuna": "search",
    "psycopg": "postgresql",
    "alembic": "server",
    "docker": "server",
    "httpx": "server",
    "jinja2": "server",
    "ngrok": "server",
    "numpy": "server",
    "requests": "server",
    "rich": "server",
    "scipy": "server",
    "sqlalchemy": "server",
    "starlette": "server",
    "uv": "server",
    "uvicorn": "server",
    "watchdog": "server",
    "yaml": "server",
}
"""Third-party modules that are not always installed, each with the extra in pyproject.toml that installs it.

``epochal init`` and the git hooks need no extras.
"""


def main() -> None:
    """Run the command in ``sys.argv`` and exit with its status."""
    status = _run_command(sys.argv[1:])
    if "ngrok" in sys.modules:
        # The threads of the ngrok library (1.4.0) abort an interpreter that shuts down normally.
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"epochal {__version__}")
        raise typer.Exit


def make_app(command: str | None) -> typer.Typer:
    """Return a Typer app that runs ``command`` and lists all commands in its help.

    Only the module of ``command`` is imported, so that a job script does not load modules that it does not use.
    """
    app = typer.Typer(
        name="epochal",
        help="Train your model after every push, retrain it if its accuracy is below the threshold, and mail the verdict.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name, text in COMMANDS.items():
        if name != command:
            app.command(name, help=text)(lambda: None)  # only listed in the help
            continue
        found = getattr(_import_module(f"epochal.commands.{name}"), name)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def _import_module(name: str) -> ModuleType:
    """Import a module with the garbage collector turned off, which makes large imports faster."""
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Define the options that precede the command."""


def _missing_extra(error: Exception) -> str:
    """Return the extra for the missing module that ``error`` reports; an empty string if there is no such extra."""
    module = error.name if isinstance(error, ModuleNotFoundError) and error.name else ""
    return EXTRAS.get(module.partition(".")[0], "")


def _run_command(arguments: list[str]) -> int:
    # The command is the first argument that is not an option, because no option before it takes a value.
    named = next((argument for argument in arguments if not argument.startswith("-")), None)
    try:
        make_app(named)()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except EpochalError as error:
        text, status = str(error), error.exit_status
    except BrokenPipeError:
        return 141  # the reader of our output is gone: 128 + SIGPIPE, as in a shell
    except Exception as error:
        extra = _missing_extra(error)
        if extra:
            text = f"{error}. Install Epochal with the extra for this module:\n    uv tool install 'epochal[{extra}]'"
            status = UsageError.exit_status
        else:
            traceback.print_exc()
            text, status = "Internal error. Please report it with the traceback above.", EpochalError.exit_status
    else:
        return 0
    print(f"epochal: {text}", file=sys.stderr)  # noqa: T201 (the only place that prints errors)
    return status
