"""The pull job: write the commit's files to the run's code folder, and point the branch's link in ``dlcode`` at it."""

import os
import shlex
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from epochal.app import App
from epochal.commit import display_name, find_skip_instruction, identity, safe_url
from epochal.errors import Reason, RunFailed, SettingsError, UsageError
from epochal.git import GitFolder, check_files, fetch_commit
from epochal.jobs.finish import end_run
from epochal.jobs.log import log
from epochal.records import Commit, Origin, Run, State, Step
from epochal.settings import check_project, read_projects
from epochal.store.deliveries import accept_commit, split_run
from epochal.store.dispatches import last_dispatch
from epochal.store.owner import signal_owner
from epochal.store.runs import state_of_run
from epochal.store.timeline import record_step
from epochal.store.transitions import change_run

_PROPERTIES = "epochal.properties"
"""The file in the workspace that passes a run's number from the pull job to the train job in Jenkins."""


def find_run(app: App) -> int:
    """Return the number of the run to pull, and remove an earlier build's properties file from the workspace.

    EPOCHAL_RUN is that number, if it is set. Otherwise, GIT_URL, EPOCHAL_BRANCH and GIT_COMMIT identify the commit.
    If the commit has no run yet, create one and stop the runs that it supersedes. Raises UsageError if one of the
    three variables is missing.
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
            f"Environment variables not set: {', '.join(missing)}. To specify the commit to pull, set all "
            f"three variables ({', '.join(values)}), or set EPOCHAL_RUN to the number of the commit's run."
        )
    commit = Commit(environment.git_url, environment.branch, environment.git_commit)
    accepted = accept_commit(app.database, commit, Origin.PUSH, supersede=app.settings.supersede)
    for owner in accepted.superseded_owners:
        signal_owner(owner)
    return accepted.run


def pass_on_pulled_run(app: App, run: int) -> None:
    """Hand an already pulled run over to the train job, if the run is still waiting for that job.

    Do nothing if the run has moved on, or if the gateway starts the run's builds, because the train job would otherwise
    start twice.
    """
    if state_of_run(app.database, run) is State.PULLED and last_dispatch(app.database, run) is None:
        _write_properties(app, run)


def _write_properties(app: App, run: int) -> None:
    """Write the run's number to a file in the workspace, from which Jenkins passes it to the train job."""
    if app.environment.workspace:
        Path(app.environment.workspace, _PROPERTIES).write_text(f"EPOCHAL_RUN={run}\n", encoding="ascii")


def pull(app: App, run: Run) -> State:
    """Write the commit's files to the run's folder, point the branch's link in ``dlcode`` at it, and return PULLED.

    If the repository has several projects, write only the folder of one project. If a push started the run, and the
    commit message says to skip it or the push changed none of the projects, end the run and return CANCELLED.
    Raises RunFailed if the commit cannot be pulled.
    """
    commit = run.commit
    log(f"run {run.id}: pulling commit {commit.sha[:7]} of {display_name(commit)}, branch {commit.branch}")
    repository = _find_checkout(app, commit.sha) or fetch_commit(
        app.home.cache / "repositories",
        commit.repository,
        commit.branch,
        commit.sha,
        app.credentials(commit.repository),
    )
    if commit_time := repository.commit_time(commit.sha):
        record_step(app.database, run.id, Step.COMMITTED, at=commit_time)
    message, author_name, author_email = repository.details(commit.sha)
    instruction = find_skip_instruction(message) if run.origin is Origin.PUSH else None
    if not instruction:
        described = replace(commit, message=message, author_name=author_name, author_email=author_email)
        project = _choose_project(app, replace(run, commit=described), repository)
        if project is None:
            end_run(app, run.id, State.CANCELLED, Reason.NO_CHANGE, Reason.NO_CHANGE.explanation)
            return State.CANCELLED
        commit = replace(commit, project=project)
    notes = _write_snapshot(repository, commit, app.home.run(run.id).code)
    _link_in_dlcode(app, commit, app.home.run(run.id).code)
    if instruction:
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


def _choose_project(app: App, run: Run, repository: GitFolder) -> str | None:
    """Return the project for the run to train: empty if the repository is a single project, None if no project changed.

    If the run names a project, raise RunFailed unless epochal.toml lists it. Otherwise, if a push started the run,
    return the first project that the push changed, and queue a run for each of the others that it changed. If a person
    started the run, raise RunFailed if the repository has several projects.
    """
    sha = run.commit.sha
    try:
        projects = read_projects(repository.read_file(sha, "epochal.toml") or "")
        if run.commit.project:
            check_project(run.commit.project, projects)
            return run.commit.project
    except SettingsError as error:
        raise RunFailed(Reason.BAD_SETTINGS, str(error)) from None
    if not projects:
        return ""
    trees = {project: _find_tree(repository, sha, project) for project in projects}
    if run.origin is Origin.PERSON:
        if len(projects) > 1:
            raise RunFailed(
                Reason.BAD_SETTINGS,
                "epochal.toml lists several projects. Specify which project to train:\n"
                + "\n".join(f"    epochal run --project {shlex.quote(project)}" for project in projects),
            )
        change_run(app.database, run.id, project=projects[0])
        return projects[0]
    accepted = split_run(app.database, run, trees, app.settings.supersede)
    for project, started in accepted.items():
        log(f"run {started.run} will train project {project}, which has changed")
        for owner in started.superseded_owners:
            signal_owner(owner)
    return next(iter(accepted), None)


def _find_tree(repository: GitFolder, sha: str, project: str) -> str:
    """Return the git object ID of a project's folder. Raises RunFailed if the commit has no such folder."""
    tree = repository.tree(sha, project)
    if tree is None:
        raise RunFailed(Reason.BAD_SETTINGS, f"epochal.toml lists the project {project}, which is not in the commit.")
    return tree


def _find_checkout(app: App, sha: str) -> GitFolder | None:
    """Return the git checkout in WORKSPACE if Jenkins has fetched the commit into it; otherwise None."""
    workspace = Path(app.environment.workspace) if app.environment.workspace else None
    if workspace is None or not (workspace / ".git").exists():
        return None
    repository = GitFolder(workspace)
    return repository if repository.has(sha) else None


def _write_snapshot(repository: GitFolder, commit: Commit, code: Path) -> tuple[str, ...]:
    """Write the commit's files to the folder ``code``, unless it already exists, and return notes on the files.

    The files are first written to a temporary folder, which is renamed once they have been checked, so that no job
    reads a partial snapshot.
    """
    code.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".code-", dir=code.parent))
    try:
        revision = _find_tree(repository, commit.sha, commit.project) if commit.project else commit.sha
        repository.write_files(revision, temporary)
        notes = check_files(temporary) + repository.submodule_notes(revision)
        temporary.chmod(0o755)
        if not code.exists():
            temporary.rename(code)
        return notes
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _link_in_dlcode(app: App, commit: Commit, code: Path) -> None:
    # No branch has a colon in its name (git-check-ref-format(1)).
    name = f"{commit.branch}:{commit.project}" if commit.project else commit.branch
    link = app.home.dlcode / identity(commit.repository) / quote(name, safe=":")
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(os.path.relpath(code, link.parent))
    temporary.replace(link)
    log(f"dlcode: {link} now points to commit {commit.sha[:7]} of {safe_url(commit.repository)}")
