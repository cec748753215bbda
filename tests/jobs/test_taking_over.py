"""Nothing is trained twice that means the same."""

import shutil
from pathlib import Path

import pytest

from epochal.jobs.job import Job
from epochal.records import State
from tests.jobs.chain import Ended, drive, environment_of, epochal, store_push
from tests.repositories import commit, make_repository

_SETTINGS = "threshold = {threshold}\n[retrain]\nmax_trials = 2\npatience = 1\n"


class Digits:
    """A repository whose nn.py leaves a mark outside each time it trains."""

    def __init__(self, home: Path, folder: Path, threshold: float) -> None:
        self.home = home
        self.marks = folder / "trained"
        self.script = (
            f"# Learns.\nopen({str(self.marks)!r}, 'a').write('x')\n"
            "epochs = 2\nopen('model.keras', 'w').close()\nprint('Test accuracy: 0.75')\n"
        )
        files: dict[str, str | bytes] = {"nn.py": self.script, "epochal.toml": _SETTINGS.format(threshold=threshold)}
        self.repository = make_repository(folder / "digits", files)

    def push(self, files: dict[str, str | bytes] | None = None, **variables: str) -> Ended:
        """Commit ``files`` and send the commit through the chain."""
        if files:
            commit(self.repository, files, "A change")
        return drive(self.home, store_push(self.home, self.repository), **variables)

    def trained(self) -> int:
        """How often nn.py ran since the last time."""
        count = len(self.marks.read_text()) if self.marks.exists() else 0
        self.marks.unlink(missing_ok=True)
        return count


@pytest.mark.parametrize(("threshold", "state", "status"), [(0.7, State.REACHED, 0), (0.9, State.EXHAUSTED, 3)])
def test_a_commit_that_means_the_same_takes_the_verdict_over(
    home: Path, tmp_path: Path, threshold: float, state: State, status: int
) -> None:
    """A README, a comment, formatting: nothing is trained, the run ends like the one before, and says whose verdict it is;
    what takes over is the run that was trained, however many took it over since."""
    digits = Digits(home, tmp_path, threshold)
    first = digits.push()
    assert (first.run.state, digits.trained()) == (state, 1 if state is State.REACHED else 2)
    readme = digits.push({"README.md": "Digits"})
    comment = digits.push({"nn.py": digits.script.replace("# Learns.", "# Learns digits.").replace(" = 2", "=2")})
    assert digits.trained() == 0
    for ended in (readme, comment):
        assert (ended.run.state, ended.status, ended.run.taken_over) == (state, status, first.run.id)
        assert (ended.run.best, ended.run.reason) == (first.run.best, first.run.reason)
        assert "taken over from run 1" in ended.printed["train"]
    assert epochal(home, "history").stdout.count("taken over from run 1") == 2
    assert "from run 1" in epochal(home, "show", "3").stdout
    job = Job.open(environment_of(home))
    notice = job.store.notice(comment.run.id)
    assert notice is not None
    assert b"Taken over from run 1" in notice.message
    assert str(first.folder / "trials" / "1" / "code" / "model.keras").encode() in notice.message.replace(b"=\r\n", b"")
    job.store.close()


def test_what_means_something_else_is_trained(home: Path, tmp_path: Path) -> None:
    """A constant, data, the threshold; and the same again where it is asked for, or where the earlier run is gone."""
    digits = Digits(home, tmp_path, 0.7)
    digits.push()
    digits.trained()
    for files in (
        {"nn.py": digits.script.replace("epochs = 2", "epochs = 3")},
        {"data.csv": "1,2"},
        {"epochal.toml": _SETTINGS.format(threshold=0.6)},
    ):
        assert digits.push(dict(files)).run.taken_over is None
        assert digits.trained() == 1
    newest = digits.push({"README.md": "Digits"}, EPOCHAL_FORCE="1")
    assert (newest.run.taken_over, digits.trained()) == (None, 1)
    for number in range(1, newest.run.id + 1):
        shutil.rmtree(home / "runs" / str(number))
    assert digits.push({"README.md": "Digits!"}).run.taken_over is None
    assert digits.trained() == 1


def test_a_failed_run_is_tried_again(home: Path, tmp_path: Path) -> None:
    """What failed may have failed by what is around it."""
    repository = make_repository(tmp_path / "digits", {"nn.py": "print('no accuracy')"})
    assert drive(home, store_push(home, repository)).run.state is State.FAILED
    commit(repository, {"README.md": "Digits"}, "A README")
    again = drive(home, store_push(home, repository)).run
    assert (again.state, again.taken_over) == (State.FAILED, None)


def test_a_person_may_insist(home: Path, tmp_path: Path) -> None:
    """epochal run takes over too, and trains with --force."""
    digits = Digits(home, tmp_path, 0.7)
    for options, trained in (([], 1), ([], 0), (["--force"], 1)):
        done = epochal(home, "run", str(digits.repository), "--runtime", "process", "--no-mail", *options)
        assert (done.returncode, digits.trained()) == (0, trained), done.stdout
