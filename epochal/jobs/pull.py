"""Job pull: write the pushed commit into the run's snapshot and point ``dlcode`` at it."""

import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote

from epochal.app import App
from epochal.commit import find_skip_instruction, identity, repository_name, safe_url
from epochal.errors import Reason, UsageError
from epochal.git import GitFolder, check_files, fetch_commit
from epochal.jobs.finish import end_run
from epochal.jobs.log import log
from epochal.records import Commit, Origin, Run, State, Step
from epochal.store.deliveries import accept_commit
from epochal.store.dispatches import last_dispatch
from epochal.store.owner import signal_owner
from epochal.store.runs import state_of_run
from epochal.store.timeline import record_step
from epochal.store.transitions import change_run

_PROPERTIES = "epochal.properties"
"""The file in the workspace that passes a run's number from job pull to job train in Jenkins."""


def find_run(app: App) -> int:
    """Return the number of the run to pull, and remove the properties file of an earlier build from the workspace.

    The number is EPOCHAL_RUN if that is set. Otherwise, it is that of the run for the commit that GIT_URL,
    EPOCHAL_BRANCH and GIT_COMMIT name; if there is no such run, it is created, which stops the runs that it supersedes.
    Raises UsageError if one of these three variables is missing.
    """
    environment = app.environment
    if environment.workspace:
        Path(environment.workspace, _PROPERTIES).unlink(missing_ok=True)  # left by an earlier build
    if environment.run:
        return environment.run
    values = {
        "GIT_URL": environment.git_url,
        "EPOCHAL_BRANCH": environment.branch,
        "GIT_COMMIT": environment.git_commit,
    }
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise UsageError(
            f"{', '.join(missing)}: not set. Set them, or set EPOCHAL_RUN to the number of the run to pull."
        )
    commit = Commit(environment.git_url, environment.branch, environment.git_commit)
    accepted = accept_commit(app.database, commit, Origin.PUSH, supersede=app.settings.supersede)
    for owner in accepted.superseded_owners:
        signal_owner(owner)
    return accepted.run


def pass_on_pulled_run(app: App, run: int) -> None:
    """Pass the run on to job train after a pull that had nothing to do, if the run is still waiting for that job.

    Do nothing if the run has moved on, or if the gateway starts its builds: otherwise job train would start twice.
    """
    if state_of_run(app.database, run) is State.PULLED and last_dispatch(app.database, run) is None:
        _write_properties(app, run)


def _write_properties(app: App, run: int) -> None:
    """Write the run's number into the workspace, from which Jenkins passes it to job train."""
    if app.environment.workspace:
        Path(app.environment.workspace, _PROPERTIES).write_text(f"EPOCHAL_RUN={run}\n", encoding="ascii")


def pull(app: App, run: Run) -> State:
    """Write the commit into the run's folder and point ``dlcode`` at it; return PULLED.

    If the run was pushed and the commit message asks to skip it, end the run and return CANCELLED. Raises RunFailed.
    """
    commit = run.commit
    log(f"run {run.id}: pulling {commit.sha[:7]} of {repository_name(commit.repository)} {commit.branch}")
    repository = _find_checkout(app, commit.sha) or fetch_commit(
        app.home.cache / "repositories",
        commit.repository,
        commit.branch,
        commit.sha,
        app.credentials(commit.repository),
    )
    if commit_time := repository.commit_time(commit.sha):
        record_step(app.database, run.id, Step.COMMITTED, at=commit_time)
    notes = _write_snapshot(repository, commit.sha, app.home.run(run.id).code)
    _link_in_dlcode(app, commit, app.home.run(run.id).code)
    message, author_name, author_email = repository.details(commit.sha)
    if run.origin is Origin.PUSH and (instruction := find_skip_instruction(message)):
        end_run(app, run.id, State.CANCELLED, Reason.SKIPPED, f"The commit message says {instruction}.")
        return State.CANCELLED
    for note in notes:
        log(f"note: {note}")
    change_run(
        app.database,
        run.id,
        message=message,
        author_name=author_name,
        author_email=author_email,
        notes=list(notes),
        build_url=app.build_url,
        state=State.PULLED,
    )
    _write_properties(app, run.id)
    return State.PULLED


def _find_checkout(app: App, sha: str) -> GitFolder | None:
    """Return the git checkout in WORKSPACE if Jenkins has fetched the commit into it; otherwise None."""
    workspace = Path(app.environment.workspace) if app.environment.workspace else None
    if workspace is None or not (workspace / ".git").exists():
        return None
    repository = GitFolder(workspace)
    return repository if repository.has(sha) else None


def _write_snapshot(repository: GitFolder, sha: str, code: Path) -> tuple[str, ...]:
    """Write the commit's files to ``code`` and return notes on them; keep an existing snapshot.

    The files are checked in a temporary folder, which is then renamed, so that no reader sees a partial snapshot.
    """
    code.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".code-", dir=code.parent))
    try:
        repository.write_files(sha, temporary)
        notes = check_files(temporary) + repository.submodule_notes(sha)
        temporary.chmod(0o755)
        if not code.exists():
            temporary.rename(code)
        return notes
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _link_in_dlcode(app: App, commit: Commit, code: Path) -> None:
    link = app.home.dlcode / identity(commit.repository) / quote(commit.branch, safe="")
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(os.path.relpath(code, link.parent))
    temporary.replace(link)
    log(f"dlcode: {link} is now at {commit.sha[:7]} of {safe_url(commit.repository)}")
