"""A commit with the same fingerprint as an earlier run gets that run's verdict without being trained.

The jobs run in this process instead of through their scripts, because there are many of them.
"""

import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from epochal.app import App
from epochal.chains.job_scripts import first_job, next_job
from epochal.jobs.runner import run_job
from epochal.records import Run, State
from epochal.store.outbox import message_of_run
from epochal.store.runs import claim_run, load_run
from epochal.store.trials import add_trial
from tests.jobs.chain import environment_of, epochal, epochal_json, store_push, stored_run
from tests.repositories import commit, git, make_repository
from tests.trials import accuracies

# Each execution appends a line to {marker}. The accuracy is epochs / 40.
_SCRIPT = """'''A model.'''
epochs = 20
with open("{marker}", "a") as file:
    file.write(f"{{epochs}}\\n")
print("Test accuracy:", epochs / 40 + 0 * len(open("data.csv").read()))
"""


class _Developer:
    """Pushes commits to a repository whose nn.py logs each execution in a file outside it."""

    def __init__(self, home: Path, folder: Path, settings: str) -> None:
        self._home = home
        self._marker = folder / "trained"
        self.script = _SCRIPT.format(marker=self._marker)
        files = {"nn.py": self.script, "data.csv": "1\n", "README.md": "One\n", "epochal.toml": settings}
        self.folder = make_repository(folder / "digits", dict(files))

    def push(self, files: Mapping[str, str] | None = None, **variables: str) -> tuple[Run, list[int]]:
        """Commit ``files``, push, and run the jobs; return the ended run and the epochs of each execution of nn.py."""
        if files:
            commit(self.folder, dict(files), "More")
        return self.drive(store_push(self._home, self.folder), **variables)

    def drive(self, run: Run, **variables: str) -> tuple[Run, list[int]]:
        """Run the jobs that ``run`` still needs; return the ended run and the epochs of each execution of nn.py."""
        before = self.trained
        name = first_job(run)
        while name:
            status = run_job(name, environment_of(self._home, EPOCHAL_RUN=str(run.id), **variables))
            name = next_job(name, status)
        self.status = status
        return stored_run(self._home, run.id), self.trained[len(before) :]

    @property
    def trained(self) -> list[int]:
        """The epochs of each execution of nn.py so far."""
        return [int(line) for line in self._marker.read_text().split()] if self._marker.exists() else []


def test_commit_without_relevant_change_reuses_the_verdict(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The README, comments, docstrings and formatting are not relevant, nor are comments in epochal.toml.

    If a constant, the data or a setting has changed, or with --force, the commit is trained.
    """
    developer = _Developer(home, tmp_path, "threshold = 0.7\n")
    first, trained = developer.push()
    assert (first.state, trained) == (State.REACHED, [20, 30])

    run, trained = developer.push({"README.md": "Two\n"})
    assert (run.state, developer.status, run.reused_run, trained) == (State.REACHED, 0, 1, [])
    assert (run.trials, run.threshold, run.image) == (first.trials, 0.7, first.image)
    printed = capsys.readouterr().out
    assert "verdict: reached, 0.750 (threshold 0.70), reused from run 1" in printed
    assert "to train anyway, use epochal run --force" in printed
    assert "run 2: 0.750 (threshold 0.70) · 2 trials · reused from run 1" in printed

    commented = developer.script.replace("'''A model.'''", "'''Other words.'''\n# A comment.").replace(" = 20", "=20")
    run, trained = developer.push({"nn.py": commented, "epochal.toml": "# A comment.\nthreshold = 0.7\n"})
    assert (run.state, run.reused_run, trained) == (State.REACHED, 1, [])

    changes = (
        {"data.csv": "2\n"},
        {"nn.py": developer.script.replace("20", "25")},
        {"epochal.toml": "threshold = 0.6\n"},
    )
    assert [developer.push(change)[1] for change in changes] == [[20, 30], [25, 35], [25]]
    run, trained = developer.push({"README.md": "Three\n"}, EPOCHAL_FORCE="1")
    assert (run.reused_run, trained) == (None, [25])
    assert "is not reused, because --force was given or EPOCHAL_FORCE is set: training again" in capsys.readouterr().out


def test_verdict_on_code_that_reads_an_outside_file_is_not_reused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fingerprint does not cover an outside file unless it is in the server's data folder."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "x.csv").write_text("1\n")
    developer = _Developer(home, tmp_path, "threshold = 0.7\n")
    developer.push({"nn.py": f"{developer.script}open('{data}/x.csv').read()\n"})
    run, trained = developer.push({"README.md": "Two\n"})
    assert (run.reused_run, trained) == (None, [20, 30])
    assert f"is not reused, because the code may read {data}/x.csv" in capsys.readouterr().out

    (home / "server.toml").write_text(f'data = "{data}"\n')
    developer.push({"README.md": "Three\n"})
    assert developer.push({"README.md": "Four\n"})[0].reused_run == 3


def test_reports_name_the_run_that_was_reused(home: Path, tmp_path: Path) -> None:
    """The email has the trained run's diff and log path. ``epochal show`` and ``epochal history`` name that run."""
    (home / "server.toml").write_text('[mail]\nhost = "127.0.0.1"\nport = 1\nto = ["ada@example.com"]\n')
    developer = _Developer(home, tmp_path, "threshold = 0.7\n")
    developer.push()
    developer.push({"README.md": "Two\n"})
    app = App.open(environment_of(home))
    message = message_of_run(app.database, 2)
    app.database.close()
    assert message
    mail = message.content.decode().replace("=\r\n", "")
    assert "changes nothing that affects the verdict of\r\nrun 1," in mail
    assert "+epochs =3D 30" in mail
    assert f"{home}/runs/1/trials/2/train.log" in mail
    assert "reused from:   run 1, which ran these trials" in epochal(home, "show", "2").stdout
    assert "reused from run 1" in epochal(home, "history").stdout
    assert [run["reused_run"] for run in epochal_json(home, "history")] == [1, None]


def test_exhausted_run_is_reused(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status is 3, so the retrain job is started, but it leaves the run as it is.

    Only runs that were trained are reused. If the folder of such a run is gone, the code is trained again.
    """
    developer = _Developer(home, tmp_path, "threshold = 0.9\n[retrain]\nmax_trials = 2\n")
    first, trained = developer.push()
    assert (first.state, trained) == (State.EXHAUSTED, [20, 30])
    run, trained = developer.push({"README.md": "Two\n"})
    assert (run.state, developer.status, run.reused_run, trained) == (State.EXHAUSTED, 3, 1, [])
    assert (run.reason, run.explanation) == (first.reason, first.explanation)
    assert capsys.readouterr().out.endswith('Run 2 is in the state "exhausted", so there is nothing to do.\n')
    assert developer.push({"README.md": "Three\n"})[0].reused_run == 1
    assert "gone" not in capsys.readouterr().out
    shutil.rmtree(home / "runs" / "1")
    run, trained = developer.push({"README.md": "Four\n"})
    assert (run.reused_run, trained) == (None, [20, 30])
    assert (
        "the verdict of run 1 cannot be reused, because the folder of its best trial is gone" in capsys.readouterr().out
    )


def test_run_without_a_measured_trial_is_not_reused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only an older version or a bug leaves a run like this. The log does not say that its folder is gone."""
    developer = _Developer(home, tmp_path, "threshold = 0.9\n[retrain]\nmax_trials = 2\n")
    developer.push()
    with sqlite3.connect(home / "epochal.db") as connection:
        connection.execute("DELETE FROM run_trials")
    run, trained = developer.push({"README.md": "Two\n"})
    assert (run.reused_run, trained) == (None, [20, 30])
    assert "gone" not in capsys.readouterr().out


def test_failed_run_is_never_reused(home: Path, tmp_path: Path) -> None:
    """The run may have failed by chance, so the same code is trained again, even if one of its trials was measured."""
    developer = _Developer(home, tmp_path, "threshold = 0.7\n")
    failing = f"{developer.script}if epochs > 20:\n    1 / 0\n"
    run, trained = developer.push({"nn.py": failing})
    assert (run.state, run.best is None, trained) == (State.FAILED, False, [20, 30])
    run, trained = developer.push({"README.md": "Two\n"})
    assert (run.state, run.reused_run, trained) == (State.FAILED, None, [20, 30])


def test_verdict_depends_on_the_server_settings(home: Path, tmp_path: Path) -> None:
    """If the server has other data or limits, or the environment sets a threshold, the commit is trained."""
    settings, data = home / "server.toml", tmp_path / "data"
    data.mkdir()
    settings.write_text(f'data = "{data}"\n')
    developer = _Developer(home, tmp_path, "threshold = 0.5\n")
    developer.push()
    assert developer.push({"README.md": "Two\n"})[1] == []
    (data / "more.csv").write_text("1\n")
    assert developer.push({"README.md": "Three\n"})[1] == [20]
    settings.write_text(f'data = "{data}"\n[limits]\nminutes = 5\n')
    assert developer.push({"README.md": "Four\n"})[1] == [20]
    assert developer.push({"README.md": "Five\n"}, EPOCHAL_THRESHOLD="0.4")[1] == [20]


def test_interrupted_run_gets_a_verdict_of_its_own(home: Path, tmp_path: Path) -> None:
    """A run that has started training does not reuse a verdict when it is resumed."""
    developer = _Developer(home, tmp_path, "threshold = 0.5\n")
    developer.push()
    commit(developer.folder, {"README.md": "Two\n"}, "More")
    run = store_push(home, developer.folder)
    assert run_job("pull", environment_of(home, EPOCHAL_RUN=str(run.id))) == 0
    app = App.open(environment_of(home))
    claim_run(app.database, run.id, [State.PULLED])
    add_trial(app.database, run.id, {"epochs": 20})
    run, trained = developer.drive(load_run(app.database, run.id))
    app.database.close()
    assert (run.reused_run, [trial.number for trial in run.trials], trained) == (None, [1, 2], [20])


def test_adopting_the_offered_change_reuses_its_trial(home: Path, tmp_path: Path) -> None:
    """The commit gets the verdict of the trial that was trained with the change; no other trial is listed.

    The same is true of ``epochal run`` on another branch, which trains the commit only with --force.
    """
    developer = _Developer(home, tmp_path, "threshold = 0.7\n")
    developer.push()
    git(developer.folder, "apply", str(home / "runs/1/trials/2/change.diff"))
    run, trained = developer.push({"README.md": "Adopted\n"})
    assert (run.state, run.reused_run, trained) == (State.REACHED, 1, [])
    assert (run.trials[0].number, accuracies(run)) == (2, [0.75])
    git(developer.folder, "branch", "other")
    command = "run", str(developer.folder), "--runtime", "process", "--no-mail", "--branch", "other"
    assert "reused from run 1" in epochal(home, *command).stdout
    assert developer.trained == [20, 30]
    assert (
        "is not reused, because --force was given or EPOCHAL_FORCE is set: training again"
        in epochal(home, *command, "--force").stdout
    )
    assert developer.trained == [20, 30, 30]
