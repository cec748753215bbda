"""The command line: wiring, and the one place that prints an error and picks an exit status.

The modules that a command needs are imported when it runs: a job script should not wait for what it does not use.
"""

import os
import sys
import traceback

import typer

from epochal.cli import developer, jenkins, jobs, runs, server
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
jenkins.add_to(app)


def main() -> None:
    """Run the command that the command line asks for, and exit with its status."""
    status = _status()
    if "ngrok" in sys.modules:
        # The threads of ngrok's library (1.4.0) abort an interpreter that takes itself down in good order.
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


def _status() -> int:
    try:
        app()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except EpochalError as error:
        return _tell(str(error), error.exit_status)
    except BrokenPipeError:
        return 141  # whoever read our output has gone; as a shell says it: 128 + SIGPIPE
    except Exception:
        traceback.print_exc()
        return _tell("this is a fault of Epochal's own; the lines above say where", EpochalError.exit_status)
    return 0


def _tell(text: str, status: int) -> int:
    print(f"epochal: {text}", file=sys.stderr)  # noqa: T201 (the one place)
    return status
