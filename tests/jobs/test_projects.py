"""A repository with several projects: one run for each project whose files have changed."""

from pathlib import Path

import pytest

from epochal.app import App
from epochal.errors import Reason
from epochal.jobs.runner import run_job
from epochal.records import Run, State
from epochal.store.runs import list_runs, next_runs
from tests.jobs.chain import drive, environment_of, epochal, epochal_json, store_push
from tests.repositories import commit, make_repository

_PROJECTS = "".join(f'[[project]]\npath = "{path}"\n' for path in ("digits", "deep/faces"))
_FILES: dict[str, str | bytes] = {
    "epochal.toml": _PROJECTS,
    "digits/nn.py": "epochs = 1\nprint(open('data.txt').read())\n",
    "digits/data.txt": "Test accuracy: 0.9",
    "deep/faces/epochal.toml": 'threshold = 0.7\nscript = "src/fit.py"\n',
    "deep/faces/src/fit.py": "from model import accuracy\n\nprint(f'Test accuracy: {accuracy}')\n",
    "deep/faces/src/model.py": "accuracy = 0.75\n",
}


def _runs(home: Path) -> list[Run]:
    """Return all runs, oldest first."""
    app = App.open(environment_of(home))
    runs = list_runs(app.database)[::-1]
    app.database.close()
    return runs


def _drive_all(home: Path, repository: Path) -> list[Run]:
    """Push the newest commit, run the jobs of all runs that are then waiting, and return those runs."""
    store_push(home, repository)
    driven = []
    app = App.open(environment_of(home))
    while waiting := next_runs(app.database):
        driven.append(drive(home, waiting[0]).run)
    app.database.close()
    return driven


def _pull(home: Path, run: Run) -> None:
    assert run_job("pull", environment_of(home, EPOCHAL_RUN=str(run.id))) == 0


def _trained(runs: list[Run]) -> list[tuple[str, State, float]]:
    return [(run.commit.project, run.state, run.best.accuracy.value) for run in runs if run.best and run.best.accuracy]


def test_each_changed_project_gets_a_run(home: Path, tmp_path: Path) -> None:
    """A project has its own settings and script, sees only its folder, and is trained only if that folder changed."""
    repository = make_repository(tmp_path / "repository", _FILES)
    first = _drive_all(home, repository)
    assert _trained(first) == [("digits", State.REACHED, 0.9), ("deep/faces", State.REACHED, 0.75)]
    assert [run.script for run in first] == ["nn.py", "src/fit.py"]
    assert {run.commit.message for run in first} == {"First"}
    assert not (home / "runs/1/code/deep").exists()

    commit(repository, {"deep/faces/src/model.py": "accuracy = 0.65\n"}, "Worse faces")
    assert [(run.commit.project, run.state) for run in _drive_all(home, repository)] == [
        ("deep/faces", State.EXHAUSTED)
    ]
    commit(repository, {"README.md": "no project\n"}, "Docs")
    (unchanged,) = _drive_all(home, repository)
    assert (unchanged.state, unchanged.reason) == (State.CANCELLED, Reason.NO_CHANGE)

    assert store_push(home, repository).id == unchanged.id
    links = {path.name: path.resolve() for path in (home / "dlcode").rglob("main*")}
    assert links == {
        "main:digits": home / "runs/1/code",
        "main:deep%2Ffaces": home / "runs/3/code",
    }


def test_superseded_project_is_trained_by_a_later_push(home: Path, tmp_path: Path) -> None:
    """A push supersedes the queued runs of all projects, and then trains what those runs would have trained."""
    repository = make_repository(tmp_path / "repository", _FILES)
    assert drive(home, store_push(home, repository)).run.commit.project == "digits"  # leaves the other run queued
    commit(repository, {"digits/data.txt": "Test accuracy: 0.85"}, "Other data")
    assert _trained(_drive_all(home, repository)) == [
        ("digits", State.REACHED, 0.85),
        ("deep/faces", State.REACHED, 0.75),
    ]
    assert [(run.commit.project, run.state) for run in _runs(home)][:2] == [
        ("digits", State.REACHED),
        ("deep/faces", State.SUPERSEDED),
    ]


def test_push_leaves_a_started_run_of_another_project_alone(home: Path, tmp_path: Path) -> None:
    """Even with ``supersede = "running"``, a started run is superseded only by a push that changes its own project."""
    (home / "server.toml").write_text('supersede = "running"\n')
    repository = make_repository(tmp_path / "repository", _FILES)
    _drive_all(home, repository)
    commit(repository, {"deep/faces/src/model.py": "accuracy = 0.8\n"}, "Faces")
    started = store_push(home, repository)
    _pull(home, started)
    commit(repository, {"digits/data.txt": "Test accuracy: 0.95"}, "Digits")
    _pull(home, store_push(home, repository))
    assert [(run.commit.project, run.state) for run in _runs(home)][2:] == [
        ("deep/faces", State.PULLED),
        ("digits", State.PULLED),
    ]
    commit(repository, {"deep/faces/src/model.py": "accuracy = 0.9\n"}, "Faces again")
    _pull(home, store_push(home, repository))
    assert [run.state for run in _runs(home)[2:]] == [State.SUPERSEDED, State.PULLED, State.PULLED]


def test_person_names_one_of_several_projects(home: Path, tmp_path: Path) -> None:
    """A folder or an option names the project; without either, the message lists the commands to choose from."""
    repository = make_repository(tmp_path / "repository", _FILES)
    options = "--no-mail", "--runtime", "process"
    unnamed = epochal_json(home, "run", str(repository), *options)
    assert unnamed["reason"] == "bad_settings"
    assert "epochal run --project deep/faces" in unnamed["explanation"]
    assert epochal_json(home, "run", str(repository), "--project", "deep/faces", *options)["accuracy"] == 0.75
    view = epochal_json(home, "run", str(repository / "digits"), *options)
    assert (view["project"], view["script"], view["accuracy"]) == ("digits", "nn.py", 0.9)
    commit(repository, {"unlisted/epochal.toml": "", "unlisted/nn.py": ""}, "Another one")
    unlisted = epochal(home, "run", str(repository / "unlisted"), *options)
    assert (unlisted.returncode, 'path = "unlisted"' in unlisted.stderr) == (2, True)


@pytest.mark.parametrize("project", ["./digits", "digits/", "/digits", "{repository}/digits"])
def test_project_may_be_written_as_any_path(home: Path, tmp_path: Path, project: str) -> None:
    """However the path is written, the run stores it as it is listed in epochal.toml."""
    repository = make_repository(tmp_path / "repository", _FILES)
    named = "--project", project.format(repository=repository)
    view = epochal_json(home, "run", str(repository), *named, "--no-mail", "--runtime", "process")
    assert (view["project"], view["accuracy"]) == ("digits", 0.9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (_PROJECTS, "There is no project nosuch. Projects: digits, deep/faces."),
        ("", "There is no project nosuch, because epochal.toml lists none. Leave out --project, or add the folder to"),
    ],
)
def test_unknown_project_is_refused(home: Path, tmp_path: Path, settings: str, message: str) -> None:
    """For a local repository, no run is stored. For a repository at a URL, the run fails in the pull job."""
    repository = make_repository(tmp_path / "repository", _FILES | {"epochal.toml": settings, "nosuch/nn.py": ""})
    options = "--project", "./nosuch", "--no-mail", "--runtime", "process"
    done = epochal(home, "run", str(repository), *options)
    assert (done.returncode, done.stderr.startswith(f"epochal: {message}")) == (2, True)
    by_url = epochal_json(home, "run", f"file://{repository}", *options)
    assert (by_url["run"], by_url["reason"]) == (1, "bad_settings")
    assert by_url["explanation"].startswith(message)


def test_change_of_a_project_has_the_path_in_the_repository(home: Path, tmp_path: Path) -> None:
    """The diff can be applied from the root of the repository."""
    script = "epochs = 5\nprint(f'Test accuracy: {0.5 + epochs / 100}')\n"
    files: dict[str, str | bytes] = {"epochal.toml": '[[project]]\npath = "a/b"\n', "a/b/train.py": script}
    repository = make_repository(tmp_path / "repository", files)
    (run,) = _drive_all(home, repository)
    assert run.state is State.REACHED
    diff = (home / f"runs/{run.id}/trials/2/change.diff").read_text()
    assert "+++ b/a/b/train.py" in diff


def test_settings_beside_projects_are_refused(home: Path, tmp_path: Path) -> None:
    """Settings next to [[project]] tables would have no effect."""
    files: dict[str, str | bytes] = {"epochal.toml": f"threshold = 0.9\n{_PROJECTS}", "digits/nn.py": "x = 1\n"}
    (run,) = _drive_all(home, make_repository(tmp_path / "repository", files))
    assert run.reason is Reason.BAD_SETTINGS
    assert run.explanation == (
        "epochal.toml: threshold: with [[project]], settings go in each project's epochal.toml. Move them there."
    )
