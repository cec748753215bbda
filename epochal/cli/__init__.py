"""The command line: wiring, and the one place that prints an error and picks an exit status.

The modules that a command needs are imported when it runs: a job script should not wait for what it does not use.
"""

import sys
import traceback

import click
import typer

from epochal.cli import developer, jobs, runs, server
from epochal.errors import EpochalError

app = typer.Typer(
    name="epochal",
    help="Commit nn.py, get one decisive mail.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
developer.add_to(app)
server.add_to(app)
runs.add_to(app)
jobs.add_to(app)


def main() -> None:
    """Run the command that the command line asks for, and exit with its status."""
    sys.exit(_status())


def _status() -> int:
    try:
        return app(standalone_mode=False) or 0
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as wrong:
        wrong.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except EpochalError as error:
        print(f"epochal: {error}", file=sys.stderr)  # noqa: T201 (the one place)
        return error.exit_status
    except BrokenPipeError:
        return 141
    except Exception:
        traceback.print_exc()
        print("epochal: this is a fault of Epochal's own; the lines above say where.", file=sys.stderr)  # noqa: T201
        return EpochalError.exit_status
