"""The commands, run as a user would run them."""

import base64
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from epochal.records import State
from tests.jobs.chain import epochal, epochal_json, stored_run
from tests.repositories import commit, git, make_repository, write_files

_IMPROVING_SCRIPT = "epochs = 20\nprint(f'Test accuracy: {epochs / 40}')\n"


def test_run_prints_one_json_object(home: Path, tmp_path: Path) -> None:
    """Nothing else is on standard output. ``epochal show`` prints the same object, and ``epochal history`` lists it."""
    repository = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT})
    shown = epochal_json(home, "run", str(repository), "--threshold", "0.7", "--runtime", "process", "--no-mail")
    expected = {
        "run": 1,
        "commit": git(repository, "rev-parse", "HEAD"),
        "branch": "main",
        "state": "reached",
        "verdict": "reached",
        "reason": None,
        "framework": "python",
        "threshold": 0.7,
        "accuracy": 0.75,
        "accuracy_source": "output",
        "folder": str(home / "runs/1"),
    }
    assert {name: shown[name] for name in expected} == expected
    assert isinstance(shown["image"], str)
    first, second = shown["trials"]
    assert {name: second[name] for name in second if name != "seconds"} == {
        "number": 2,
        "strategy": "more_epochs",
        "hyperparameters": {"epochs": 30},
        "epochs_trained": None,
        "epochs_resumed": 0,
        "resumption": "trained from the beginning: only Keras' fit can be resumed",
        "stopped_by": None,
        "validation_accuracy": None,
        "accuracy": 0.75,
        "accuracy_source": "output",
        "interval": None,
        "samples": None,
        "test_set": None,
        "metric": "",
        "chance": None,
        "answer": "",
        "looks": 1,
        "rows_checked": False,
        "rows_unchecked": "nn.py computed the accuracy itself",
        "rows_seen": None,
        "rows_expected": None,
        "rows_accepted": False,
        "judgement": {
            "verdict": "reached",
            "look": None,
            "confidence": 0.0,
            "spent": 0.0,
            "bound": None,
            "required": 0.7,
        },
        "validates_on_test": False,
        "state": "measured",
        "reason": None,
        "forecast": None,
    }
    assert first["seconds"] >= 0
    printed = epochal(home, "show", "1").stdout
    assert (
        "trial 2:       epochs = 30, trained from the beginning: only Keras' fit can be resumed, accuracy 0.75"
        in printed
    )
    assert "The test rows were not checked: nn.py computed the accuracy itself. The chance level is unknown." in printed
    assert epochal_json(home, "show", "1") == shown
    assert epochal_json(home, "history") == [shown]


def test_run_takes_a_commit_or_an_address(home: Path, tmp_path: Path) -> None:
    """An older commit is trained as it was. Uncommitted changes are reported and ignored."""
    repository = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT})
    old = git(repository, "rev-parse", "HEAD")
    commit(repository, {"nn.py": "raise SystemExit(1)\n"}, "Broken")
    (repository / "nn.py").write_text("not committed")
    write_files(repository, {"helpers.py": "", "data/a.csv": "", "data/b.csv": ""})
    arguments = ("--commit", old[:10], "--threshold", "0.5", "--runtime", "process", "--no-mail")
    done = epochal(home, "run", str(repository), *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    broken = epochal(home, "run", str(repository), "--runtime", "process", "--no-mail")
    assert broken.returncode == 1
    assert "uncommitted changes, which are ignored: nn.py, data/, helpers.py\n" in broken.stderr
    by_address = epochal(home, "run", f"file://{repository}", "--runtime", "process", "--no-mail")
    assert by_address.returncode == 1
    git(repository, "branch", "older", old)
    older = epochal(home, "run", str(repository), "--branch", "older", *arguments[2:])
    assert older.returncode == 0, older.stdout + older.stderr
    unknown = epochal(home, "run", str(repository), "--branch", "nosuch")
    assert (unknown.returncode, "has no branch nosuch" in unknown.stderr) == (2, True)
    assert len(epochal_json(home, "history")) == 4


def test_run_uses_the_credentials_of_a_private_repository(home: Path, tmp_path: Path) -> None:
    """Without --commit, the head of the branch is looked up with the credentials that server.toml sets for the URL."""
    received: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            received.append(self.headers["Authorization"])
            self.send_response(404 if received[-1] else 401)
            self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/digits.git"
        (tmp_path / "credentials").write_text(f"http://ada:secret@127.0.0.1:{server.server_port}\n")
        home.mkdir(exist_ok=True)
        (home / "server.toml").write_text(f'[[repository]]\nurl = "{url}"\ncredentials = "{tmp_path}/credentials"\n')
        done = epochal(home, "run", url, "--no-mail")
        server.shutdown()
    assert (done.returncode, received) == (2, [None, f"Basic {base64.b64encode(b'ada:secret').decode()}"]), done.stderr


def test_run_uses_the_runtime_of_the_settings(home: Path, tmp_path: Path) -> None:
    """With ``runtime = "docker"`` and no engine, the run fails; without the setting, it trains in a process."""
    repository = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT})
    nowhere = f"unix://{tmp_path}/no-engine"
    run = ("run", str(repository), "--threshold", "0.5", "--no-mail")
    home.mkdir(exist_ok=True)
    settings = home / "server.toml"
    settings.write_text('runtime = "docker"\n[limits]\nengine_minutes = 0.02\n', encoding="utf-8")
    assert epochal(home, *run, DOCKER_HOST=nowhere, EPOCHAL_RUNTIME="").returncode == 1
    assert epochal_json(home, "show", "1")["reason"] == "no_engine"
    settings.write_text("[limits]\nengine_minutes = 0.02\n", encoding="utf-8")
    assert epochal(home, *run, DOCKER_HOST=nowhere, EPOCHAL_RUNTIME="").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "9"), "There is no run 9"),
        (("run", "{folder}", "--threshold", "80"), "at most 1 (80% is 0.8), not 80."),
        (("run", "{folder}", "--threshold", "95%"), "at most 1 (80% is 0.8), not 95%."),
        (("run", "{folder}", "--threshold", "0,9"), "at most 1 (80% is 0.8), not 0,9."),
        (("run", "{folder}", "--threshold", "nan"), "at most 1 (80% is 0.8), not nan."),
        (("run", "{folder}/nowhere"), "{folder}/nowhere is not a folder"),
        (("run", "{folder}/nowhere/nn.py"), "{folder}/nowhere/nn.py is not a folder"),
        (("run", "https://example.com/digits.git", "--commit", "HEAD~5"), "--commit must be the ID of a commit"),
        (("run", "{folder}", "--commit", "no-such-thing"), "git init && git add --all && git commit"),
        (("run", "{unborn}"), "has no commits yet. In that folder, run:\n  git add --all && git commit"),
        (("status", "{folder}"), "{folder} is not in a git repository. In that folder, run:\n  git init && git add"),
        (("status", "{folder}/nowhere"), "{folder}/nowhere is not a folder"),
        (("status", "{unborn}"), "has no commits yet. In that folder, run:\n  git add --all && git commit"),
        (("init", "{folder}"), "nn.py"),
        (("data", "fetch", "no-such-dataset"), "cifar10"),
        (("mail",), "--flush"),
        (("tunnel",), "EPOCHAL_NGROK_AUTHTOKEN"),
        (("run", "--no-such-option"), "no-such-option"),
        (("job", "train"), "EPOCHAL_RUN"),
        (("job", "pull"), "GIT_URL"),
    ],
)
def test_wrong_usage_is_reported_without_a_traceback(
    home: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """The exit status is 2, and the message names the mistake."""
    folder, unborn = tmp_path / "empty", tmp_path / "unborn"
    folder.mkdir()
    unborn.mkdir()
    git(unborn, "init", "--quiet")
    done = epochal(home, *(argument.format(folder=folder, unborn=unborn) for argument in arguments))
    assert done.returncode == 2, done.stdout + done.stderr
    assert message.format(folder=folder) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("run", "{folder}", "--commit", "deadbeef"),
            "There is no commit deadbeef in {folder}. The command git log --oneline lists the commits.",
        ),
        (
            ("run", "{folder}", "--commit", "HEAD~5"),
            "There is no commit HEAD~5 in {folder}. The command git log --oneline lists the commits.",
        ),
        (
            ("run", "{folder}/.git", "--commit", "v1"),
            "There is no commit v1 in {folder}/.git. The command git log --oneline lists the commits.",
        ),
        (
            ("status", "{folder}", "--commit", "nosuch"),
            "There is no commit nosuch in {folder}. The command git log --oneline lists the commits.",
        ),
        (
            ("run", "{folder}", "--branch", "master", "--commit", "HEAD"),
            "{folder} has no branch master. Name an existing branch with --branch.",
        ),
    ],
)
def test_unknown_commit_or_branch_is_named(
    home: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """The message is Epochal's own, not git's, and no run is stored."""
    repository = make_repository(tmp_path / "digits")
    done = epochal(home, *(argument.format(folder=repository) for argument in arguments))
    assert (done.returncode, done.stderr) == (2, f"epochal: {message.format(folder=repository)}\n")
    assert epochal_json(home, "history") == []


def test_run_takes_a_bare_repository_and_the_branch_of_a_detached_commit(home: Path, tmp_path: Path) -> None:
    """The path may be relative. If a CI server has checked out a commit without its branch, --branch gives it."""
    repository = make_repository(tmp_path / "digits")
    git(tmp_path, "clone", "--quiet", "--bare", "digits", "digits.git")
    path = os.path.relpath(tmp_path / "digits.git")
    shown = epochal_json(home, "run", path, "--commit", "HEAD", "--runtime", "process", "--no-mail")
    assert (shown["state"], shown["branch"]) == ("reached", "main")
    git(repository, "checkout", "--quiet", "--detach")
    options = "--commit", "HEAD", "--branch", "feature", "--runtime", "process", "--no-mail"
    assert epochal_json(home, "run", str(repository), *options)["branch"] == "feature"


def _run_unprivileged(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run ``epochal`` without root's privilege to write to every file."""
    unprivileged = ["setpriv", "--bounding-set=-dac_override"] if os.getuid() == 0 else []
    if unprivileged and not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed")
    command = [*unprivileged, sys.executable, "-m", "epochal", *arguments]
    variables = os.environ | {"EPOCHAL_HOME": str(home)}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", [("run",), ("watch", "https://example.com/a.git"), ("serve",), ("job", "pull")])
@pytest.mark.parametrize(
    ("home_name", "problem"),
    [
        ("file", "EPOCHAL_HOME ({folder}/file) is not a folder. {remedy}."),
        (
            "file/home",
            "EPOCHAL_HOME ({folder}/file/home) cannot be created, because {folder}/file is not a folder. {remedy}.",
        ),
        ("", "EPOCHAL_HOME ({folder}) is not writable by the user {user}. {remedy}, or change the folder's owner."),
        ("home", "EPOCHAL_HOME ({folder}/home) cannot be created by the user {user}: Permission denied. {remedy}."),
    ],
)
def test_home_that_cannot_be_written_is_reported_in_one_line(
    tmp_path: Path, command: tuple[str, ...], home_name: str, problem: str
) -> None:
    """A command that has to write to the home reports the problem instead of raising an OSError."""
    folder = tmp_path / "locked"
    folder.mkdir()
    (folder / "file").write_text("")
    folder.chmod(0o555)
    done = _run_unprivileged(folder / home_name, *command)
    user, remedy = pwd.getpwuid(os.getuid()).pw_name, "Set EPOCHAL_HOME to another folder"
    expected = problem.format(folder=folder, user=user, remedy=remedy)
    assert (done.returncode, done.stderr) == (2, f"epochal: {expected}\n")


def test_database_of_another_user_is_reported(home: Path) -> None:
    """The database may have been created by a command that was run with sudo, for example."""
    epochal(home, "history")
    (home / "epochal.db").chmod(0o444)
    done = _run_unprivileged(home, "history")
    assert done.returncode == 2
    assert f"EPOCHAL_HOME: {home}/epochal.db is not writable by the user" in done.stderr


@pytest.mark.parametrize(("link", "used"), [("home/runs", "home"), ("home", "home"), ("disk", "disk/home")])
def test_link_to_a_disk_that_is_not_mounted_is_reported(tmp_path: Path, link: str, used: str) -> None:
    """Epochal would otherwise store runs where nobody expects them, or fail in the middle of one."""
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to("/mnt/disk/runs")
    done = epochal(tmp_path / used, "history")
    assert done.returncode == 2
    assert f"{tmp_path}/{link} is a link to /mnt/disk/runs, which does not exist. Mount or create it" in done.stderr


def test_failed_tunnel_is_reported_in_one_line(home: Path) -> None:
    """ngrok rejects the authtoken or cannot be reached. The message does not contain the authtoken."""
    done = epochal(home, "tunnel", EPOCHAL_NGROK_AUTHTOKEN="0123456789-not-a-token")
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "0123456789-not-a-token" not in done.stderr


def test_misspelt_variable_is_refused(home: Path) -> None:
    """The message suggests the correct name."""
    done = epochal(home, "history", EPOCHAL_RUNTIMES="docker")
    assert done.returncode == 2
    assert "Did you mean EPOCHAL_RUNTIME?" in done.stderr


def test_init_watch_and_status(home: Path, tmp_path: Path) -> None:
    """Running init and watch a second time changes nothing. ``epochal status`` says that no server is running."""
    folder = tmp_path / "digits"
    folder.mkdir()
    (folder / "nn.py").write_text(_IMPROVING_SCRIPT)
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    init = ("init", str(folder), "--remote", str(tmp_path / "origin.git"))
    assert epochal(home, *init).returncode == 0
    assert "nothing to change" in epochal(home, *init).stdout
    assert (
        "will be watched once the server (epochal serve) is restarted"
        in epochal(home, "watch", str(tmp_path / "origin.git")).stdout
    )
    assert "is already watched" in epochal(home, "watch", str(tmp_path / "origin.git")).stdout
    git(folder, "config", "epochal.push", "foreground")
    commit(folder, {}, "First")
    status = epochal(home, "status", str(folder)).stdout
    assert "pushed:    yes" in status
    assert "epochal serve is not running" in status


_SIGNALLED_TWICE = """
import os, signal
from epochal.cli import main
from epochal.commands import run

def signal_and_request_stop(*arguments, original=run.request_stop):
    os.kill(os.getpid(), signal.SIGTERM)
    original(*arguments)

run.request_stop = signal_and_request_stop
main()
"""
"""Runs ``epochal`` with its arguments, and sends itself a SIGTERM as soon as another signal cancels the run."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_cancel_the_run_and_leave_nothing_running(home: Path, tmp_path: Path, number: signal.Signals) -> None:
    """A signal stops training and cancels the run. A second signal, such as timeout(1) sends, changes nothing."""
    started = tmp_path / "started"
    os.mkfifo(started)
    script = f"import os, time\nopen({str(started)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    repository = make_repository(tmp_path / "digits", {"nn.py": script})
    command = [sys.executable, "-c", _SIGNALLED_TWICE, "run", str(repository), "--runtime", "process", "--no-mail"]
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(command, env=os.environ | {"EPOCHAL_HOME": str(home)}, stdout=output)
    training = started.read_text()
    process.send_signal(number)
    assert process.wait(timeout=60) == 5
    assert stored_run(home, 1).state is State.CANCELLED
    assert not Path(f"/proc/{training}").exists()
    assert "run 1 cancelled: " in (tmp_path / "output").read_text()


_INTERRUPTED_AT_ONCE = """
import os, signal, threading
from epochal.cli import main

def interrupt(thread):
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread.start = interrupt
main()
"""
"""Runs ``epochal`` with its arguments, and interrupts ``epochal run`` just before it starts the first job."""


def test_ctrl_c_before_the_first_job_cancels_the_run(home: Path, tmp_path: Path) -> None:
    """No job has started yet, so there is nothing to wait for."""
    repository = make_repository(tmp_path / "digits", {"nn.py": ""})
    command = [sys.executable, "-c", _INTERRUPTED_AT_ONCE, "run", str(repository), "--runtime", "process"]
    done = subprocess.run(command, env=os.environ | {"EPOCHAL_HOME": str(home)}, timeout=60, check=False)
    assert done.returncode == 5
    assert stored_run(home, 1).state is State.CANCELLED


def test_watch_hides_tokens_and_refuses_a_second_spelling(home: Path) -> None:
    """A token is not printed, server.toml keeps its mode, and another URL of a watched repository is refused."""
    (home / "server.toml").write_text("", encoding="utf-8")
    (home / "server.toml").chmod(0o600)
    first = epochal(home, "watch", "https://ada:s3cret@github.com/ada/digits.git")
    assert first.returncode == 0
    assert "s3cret" not in first.stdout + first.stderr
    assert (home / "server.toml").stat().st_mode & 0o777 == 0o600
    second = epochal(home, "watch", "git@github.com:ada/digits.git")
    assert (second.returncode, "already watched" in second.stderr, "s3cret" in second.stderr) == (2, True, False)
