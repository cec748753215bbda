"""Measure what it costs to start Epochal: the processor time (user and system) of ``epochal --help``, ``epochal check``
and a job that finds nothing to do, each divided by that of a Python process that only imports the libraries.

The check is of a repository with 2,000 files, including an nn.py of 200 lines. The job is ``epochal job train`` for a
run that has ended, in a home with an SQLite database and a server.toml. The last row does not use Epochal, only one
Typer command, one Pydantic model and one SQLAlchemy query. The commands take turns, each in a new process; the first
round is not counted, because it may compile modules.

Usage: benchmarks/startup.py [--quick] [--rounds N]
"""

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import QUICK, alternate, describe_machine, print_table, temporary_folder

from epochal.app import App
from epochal.folders import resource as resource_file
from epochal.records import EXIT_STATUS, Commit, Origin, State
from epochal.settings import Environment, watch_repository
from epochal.store.deliveries import accept_commit
from epochal.store.transitions import request_stop

ROUNDS = 10 if QUICK else 40
TARGET_RATIO = 1.3
LIBRARIES_FOR_HELP = "import typer, pydantic"
LIBRARIES_FOR_JOB = "import typer, pydantic, sqlalchemy"
LIBRARIES_IN_USE = f"""\
{LIBRARIES_FOR_JOB}

class Settings(pydantic.BaseModel):
    home: str

def main():
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        connection.execute(sqlalchemy.text("SELECT 1"))

Settings(home="")
typer.run(main)
"""
TARGET_CHECK_SECONDS = 2
FILES = 2000
CHECKED = "checked"
"""The folder with the repository to check, in the working folder of the commands."""
SCRIPT = resource_file("ml_code") / "nn.py"
REPOSITORY = "https://github.com/ada/digits.git"


class Command(NamedTuple):
    """Arguments for Python, the expected exit status, the name of the command to compare with, and the target."""

    arguments: tuple[str, ...]
    status: int = 0
    baseline: str = ""
    target: str = ""


COMMANDS = {
    LIBRARIES_FOR_HELP: Command(("-c", LIBRARIES_FOR_HELP)),
    "epochal --help": Command(("-m", "epochal", "--help"), baseline=LIBRARIES_FOR_HELP, target=f"≤ × {TARGET_RATIO}"),
    f"epochal check, {FILES:,} files": Command(
        ("-m", "epochal", "check", CHECKED), baseline=LIBRARIES_FOR_HELP, target=f"≤ {TARGET_CHECK_SECONDS:g} s"
    ),
    LIBRARIES_FOR_JOB: Command(("-c", LIBRARIES_FOR_JOB)),
    "epochal job train, run ended": Command(
        ("-m", "epochal", "job", "train"), EXIT_STATUS[State.CANCELLED], LIBRARIES_FOR_JOB, f"≤ × {TARGET_RATIO}"
    ),
    "the same libraries, each used once": Command(("-c", LIBRARIES_IN_USE), baseline=LIBRARIES_FOR_JOB),
}


def main() -> None:
    """Print the processor time of each command, and its ratio to that of its libraries."""
    options = _options()
    with temporary_folder() as folder:
        variables = _make_environment(folder / "home")
        _make_repository(folder / CHECKED)
        measures = {
            name: lambda _, command=command: _measure(command, variables, folder) for name, command in COMMANDS.items()
        }
        found = {name: seconds[1:] for name, seconds in alternate(options.rounds + 1, measures).items()}
    print(f"{describe_machine()}; {options.rounds} alternating rounds\n")
    rows = [_make_row(name, command.baseline, found) for name, command in COMMANDS.items()]
    print_table(("processor time", "minimum", "median", "÷ libraries: of minima", "of medians", "target"), *rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10 rounds instead of 40")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    return parser.parse_args()


def _make_environment(home: Path) -> dict[str, str]:
    """Make a home with a run that has ended, and return the environment variables of a job for it."""
    watch_repository(home, REPOSITORY, ("main",))
    app = App.open(Environment.read({"EPOCHAL_HOME": str(home)}))
    run = accept_commit(app.database, Commit(REPOSITORY, "main", "a" * 40), Origin.PUSH, supersede="queued").run
    request_stop(app.database, run, State.CANCELLED)
    app.database.close()
    # The caller's variables could make the job open another home or database.
    others = {name: value for name, value in os.environ.items() if not name.startswith("EPOCHAL_")}
    return others | {"EPOCHAL_HOME": str(home), "EPOCHAL_RUN": str(run)}


def _make_repository(folder: Path) -> None:
    """Make a repository with a script and data, and commit them."""
    for number in range(FILES - 1):
        path = folder / "images" / str(number % 20) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"image")
    script = SCRIPT.read_text(encoding="utf-8")
    filling = "".join(f"parameter_{number} = {number}\n" for number in range(200 - script.count("\n")))
    (folder / "nn.py").write_text(script + filling, encoding="utf-8")
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for arguments in (("init", "--quiet"), ("add", "--all"), (*identity, "commit", "--quiet", "--message", "Images")):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)


def _measure(command: Command, variables: dict[str, str], folder: Path) -> float:
    """Run a command and return its processor time in seconds. Raises RuntimeError if its status is unexpected."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # ``-m`` imports from the working folder first, so use one without a checkout.
    done = subprocess.run(
        [sys.executable, *command.arguments], env=variables, cwd=folder, capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != command.status:
        raise RuntimeError(f"{command.arguments} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _make_row(name: str, baseline: str, found: dict[str, list[float]]) -> tuple[str, ...]:
    least, middle = min(found[name]), median(found[name])
    times = name, f"{1000 * least:.0f} ms", f"{1000 * middle:.0f} ms"
    if not baseline:
        return (*times, "", "", "")
    ratios = f"× {least / min(found[baseline]):.2f}", f"× {middle / median(found[baseline]):.2f}"
    return (*times, *ratios, COMMANDS[name].target)


if __name__ == "__main__":
    main()
