"""The command ``epochal`` in processes that are forked from one which has imported it: a second less for each.

They are processes like any other, with arguments, environment, folder and session of their own; only their command line
in /proc is another. What a script or the interpreter does before ``epochal`` starts is not in them.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "epochal.cli",
        "epochal.commands.job",
        "epochal.commands.history",
        "epochal.commands.show",
        "epochal.jobs.pull",
        "epochal.jobs.train",
        "epochal.jobs.retrain",
        "epochal.messages.mail.compose",
        "epochal.runtimes.process",
    ]
)


def run_epochal(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    output: Path,
    errors: Path | None = None,
    folder: Path = Path(),
) -> int:
    """Run ``epochal`` to its end in ``folder``; append what it prints to ``output``, or errors to ``errors`` if given.

    Returns the exit status, which is negative if a signal ended it.
    """
    files = [str(path.absolute()) for path in (output, errors or output)]
    process = _CONTEXT.Process(
        target=_epochal, args=(list(arguments), dict(environment), files, str(folder.absolute()))
    )
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _epochal(arguments: list[str], environment: dict[str, str], files: list[str], folder: str) -> None:
    from epochal.cli import main

    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, name in enumerate([os.devnull, *files]):
        opened = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = ["epochal", *arguments]
    main()
