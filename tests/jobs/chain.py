"""Helpers that send commits through the three jobs."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epochal.app import App
from epochal.chains.job_scripts import JobScripts, first_job, next_job
from epochal.folders import resource
from epochal.records import Commit, Origin, Run
from epochal.settings import Environment
from epochal.store.deliveries import accept_commit
from epochal.store.runs import load_run
from tests.repositories import git, make_repository
from tests.warm import warm_epochal


@dataclass(frozen=True)
class ChainResult:
    """The outcome of a chain.

    ``run``: the run as stored. ``status``: the exit status of the last job. ``printed``: the output of each job, by
    name. ``folder``: the run's folder.
    """

    run: Run
    status: int
    printed: dict[str, str]
    folder: Path


def environment_of(home: Path, **variables: str) -> Environment:
    """Return the environment for a command that uses ``home`` and trains in plain processes."""
    inherited = {name: value for name, value in os.environ.items() if name in ("EPOCHAL_CA_BUNDLE", "DOCKER_HOST")}
    return Environment.read({"EPOCHAL_HOME": str(home), "EPOCHAL_RUNTIME": "process"} | inherited | variables)


def store_push(home: Path, repository: Path, delivery: tuple[str, str] | None = None) -> Run:
    """Store a run for the newest commit of ``repository``, as a push does, and return it.

    ``delivery``: the id and event of the webhook request that reported the push; None if there was none.
    """
    app = App.open(environment_of(home))
    commit = Commit(str(repository), "main", git(repository, "rev-parse", "HEAD"))
    accepted = accept_commit(app.database, commit, Origin.PUSH, delivery=delivery, supersede="queued")
    run = load_run(app.database, accepted.run)
    app.database.close()
    return run


def stored_run(home: Path, number: int) -> Run:
    """Return run ``number`` from the database of ``home``."""
    app = App.open(environment_of(home))
    run = load_run(app.database, number)
    app.database.close()
    return run


def drive(home: Path, run: Run, **variables: str) -> ChainResult:
    """Run the job scripts for ``run`` one after the other, as a chain does."""
    environment = environment_of(home)
    script_variables = {"EPOCHAL_RUNTIME": "process", "EPOCHAL_PYTHON": str(warm_epochal())} | variables
    scripts = JobScripts(environment, resource("scripts"), script_variables)
    app = App.open(environment)
    name, status = first_job(run), 0
    while name:
        status = scripts.run(name, run)
        name = next_job(name, status)
    folder = app.home.run(run.id)
    printed = {
        name: folder.console(name).read_text(encoding="utf-8")
        for name in ("pull", "train", "retrain")
        if folder.console(name).exists()
    }
    for name, text in printed.items():  # pytest shows this if the test fails
        sys.stdout.write(f"--- {name} ---\n{text}\n")
    sys.stdout.write(f"exit status of the last job: {status}\n")
    stored = load_run(app.database, run.id)
    app.database.close()
    return ChainResult(stored, status, printed, folder.path)


def train_commit(home: Path, tmp_path: Path, files: dict[str, str | bytes], **variables: str) -> ChainResult:
    """Create a repository with ``files``, and run its first commit through the chain."""
    repository = make_repository(tmp_path / "digits", files)
    return drive(home, store_push(home, repository), **variables)


def epochal(home: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the command ``epochal`` for ``home``."""
    environment = os.environ | {"EPOCHAL_HOME": str(home), "COLUMNS": "200"} | variables
    command = [str(warm_epochal()), "-m", "epochal", *arguments]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def epochal_json(home: Path, *arguments: str, **variables: str) -> Any:
    """Run the command with ``--json``, and return what it prints. Only JSON may be on standard output."""
    completed = epochal(home, *arguments, "--json", **variables)
    assert completed.stdout, completed.stderr
    return json.loads(completed.stdout)
