"""A real ``epochal serve``, from the webhook to the email, with scripts that need no framework."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from epochal.errors import Reason
from epochal.records import State
from tests.integration.served import mailbox, running_server, start_server, write_settings
from tests.jobs.chain import drive, epochal, epochal_json, store_push, stored_run
from tests.messages.servers import Inbox, mail_server
from tests.repositories import commit, make_repository

_IMPROVING_SCRIPT = "epochs = 20\nprint(f'Test accuracy: {epochs / 40}')\n"


def _waiting_script(pipe: Path, rest: str) -> str:
    """Return a script that runs ``rest`` once the test has read ``pipe`` and then called ``_release``."""
    return f"open({str(pipe)!r}, 'w').write('x')\nopen({f'{pipe}.go'!r}).read()\n{rest}"


def _make_pipes(folder: Path, name: str) -> Path:
    os.mkfifo(folder / name)
    os.mkfifo(folder / f"{name}.go")
    return folder / name


def _release(pipe: Path) -> None:
    Path(f"{pipe}.go").write_text("go")


def test_push_is_trained_retrained_and_mailed_once(home: Path, tmp_path: Path) -> None:
    """A second delivery of the same commit does not start a second run."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT, "epochal.toml": "threshold = 0.7\n"})
    with running_server(home, origin) as server:
        assert server.push(origin)["run"] == 1
        mail = server.wait_for_mail()
        assert mail["Subject"].startswith("Threshold Accuracy Reached!!! 0.750 (threshold 0.70) · digits main ")
        assert mail["To"] == "ada@example.com"
        body = mail.get_body(("plain",))
        assert body is not None
        for expected in (
            "epochs = 20 → 30",
            "-epochs = 20\n",
            "+epochs = 30\n",
            "First",
            "from a line that the script printed",
        ):
            assert expected in body.get_content().replace("\r\n", "\n")
        assert server.push(origin) == {"status": "already processed", "run": 1}
    shown = epochal_json(home, "show", "1")
    assert (shown["state"], shown["verdict"], shown["accuracy"], shown["threshold"]) == (
        "reached",
        "reached",
        0.75,
        0.7,
    )
    assert [trial["number"] for trial in shown["trials"]] == [1, 2]
    assert len(epochal_json(home, "history")) == 1
    status = epochal(home, "status", str(origin)).stdout
    assert "delivered: delivery" in status
    assert "reached" in status


def test_github_instructions_are_printed_until_the_first_delivery(home: Path, tmp_path: Path) -> None:
    """Until the first delivery arrives, the server prints what to enter on GitHub each time it starts."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT, "epochal.toml": "threshold = 0.4\n"})
    write_settings(home, origin, 1)
    assert all("Add a webhook on GitHub " in _start_and_stop(home) for _ in range(2))
    with running_server(home, origin) as server:
        server.push(origin)
        server.wait_for_mail()
    assert "Add a webhook" not in _start_and_stop(home)


def test_github_instructions_say_where_the_secret_is(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secret is in the home, in the configured file, or in an environment variable, which takes precedence."""
    write_settings(home, make_repository(tmp_path / "digits", {"nn.py": ""}), 1)
    assert f"  Secret        the contents of {home / 'webhook-secret'}\n" in _start_and_stop(home)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "secret").write_text("a" * 32)
    (tmp_path / "secret").chmod(0o600)
    settings = home / "server.toml"
    settings.write_text(settings.read_text().replace("[gateway]\n", '[gateway]\nsecret_file = "~/secret"\n'))
    assert f"  Secret        the contents of {tmp_path / 'secret'}\n" in _start_and_stop(home)
    monkeypatch.setenv("EPOCHAL_WEBHOOK_SECRET", "b" * 32)
    printed = _start_and_stop(home)
    assert "  Secret        the value of EPOCHAL_WEBHOOK_SECRET" in printed
    assert str(tmp_path / "secret") not in printed


def _start_and_stop(home: Path) -> str:
    """Start the server, stop it once it has printed its address, and return the rest of its output."""
    with start_server(home) as process:
        assert process.stdout
        first = process.stdout.readline()
        process.terminate()
        assert first.startswith("gateway: ")
        return process.stdout.read()


def test_waiting_commit_is_superseded_by_a_newer_one(home: Path, tmp_path: Path) -> None:
    """The commit that is being trained is not stopped; the newest commit is trained after it."""
    pipe = _make_pipes(tmp_path, "first")
    toml = "threshold = 0.5\n"
    origin = make_repository(
        tmp_path / "digits", {"nn.py": _waiting_script(pipe, _IMPROVING_SCRIPT), "epochal.toml": toml}
    )
    with running_server(home, origin) as server:
        server.push(origin)
        pipe.read_text()  # Wait until the first script is running.
        for name in ("second", "third"):
            commit(origin, {"nn.py": f"# {name}\n{_IMPROVING_SCRIPT}"}, name)
            server.push(origin)
        _release(pipe)
        subjects = [str(server.wait_for_mail()["Subject"]) for _ in range(2)]
    runs = [stored_run(home, number) for number in (1, 2, 3)]
    assert [run.state for run in runs] == [State.REACHED, State.SUPERSEDED, State.REACHED]
    assert runs[1].successor == 3
    assert runs[0].ended is not None
    assert runs[2].started is not None
    assert runs[0].ended <= runs[2].started
    assert [run.commit.sha[:7] in subject for run, subject in zip((runs[0], runs[2]), subjects, strict=True)] == [
        True,
        True,
    ]


def test_training_is_superseded_if_the_admin_allows_it(home: Path, tmp_path: Path) -> None:
    """With ``supersede = "running"``, a newer commit stops the training of an older one."""
    pipe = _make_pipes(tmp_path, "first")
    origin = make_repository(
        tmp_path / "digits", {"nn.py": _waiting_script(pipe, _IMPROVING_SCRIPT), "epochal.toml": "threshold = 0.5\n"}
    )
    with running_server(home, origin, 'supersede = "running"\n') as server:
        server.push(origin)
        pipe.read_text()
        commit(origin, {"nn.py": _IMPROVING_SCRIPT}, "Second")
        server.push(origin)
        assert "main" in server.wait_for_mail()["Subject"]
    assert [stored_run(home, number).state for number in (1, 2)] == [State.SUPERSEDED, State.REACHED]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_restarted_server_finishes_an_interrupted_run(home: Path, tmp_path: Path, number: signal.Signals) -> None:
    """The server is stopped or killed during training. After it is restarted, the run ends and one email is sent."""
    pipe = _make_pipes(tmp_path, "first")
    files: dict[str, str | bytes] = {
        "nn.py": _waiting_script(pipe, _IMPROVING_SCRIPT),
        "epochal.toml": "threshold = 0.5\n",
    }
    origin = make_repository(tmp_path / "digits", files)
    with mailbox() as (mails, port):
        with running_server(home, origin, mail=(mails, port)) as server:
            server.push(origin)
            pipe.read_text()
            server.process.send_signal(number)
            server.process.wait()
        if number is signal.SIGTERM:
            assert stored_run(home, 1).state is State.TRAINING
        with running_server(home, origin, mail=(mails, port)) as server:
            if number is signal.SIGTERM:
                pipe.read_text()  # The script was started again. After SIGKILL, the first one is still running.
            _release(pipe)
            assert server.wait_for_mail()["Subject"].startswith("Threshold Accuracy Reached!!!")
            assert server.mails.empty()
    assert stored_run(home, 1).state is State.REACHED


def test_push_during_downtime_is_trained_at_the_next_start(home: Path, tmp_path: Path) -> None:
    """When it starts, the server compares the head of the remote branch with the last run."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT, "epochal.toml": "threshold = 0.5\n"})
    with running_server(home, origin) as server:
        assert server.wait_for_mail()["Subject"].startswith("Threshold Accuracy Reached!!!")
    commit(origin, {"nn.py": f"# second\n{_IMPROVING_SCRIPT}"}, "Second")
    with running_server(home, origin) as server:
        server.wait_for_mail()
    assert len(epochal_json(home, "history")) == 2


def test_skipped_commit_found_without_a_webhook_is_not_trained(home: Path, tmp_path: Path) -> None:
    """If no webhook reported the commit, its message is not read until the pull job, which then cancels the run."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT, "epochal.toml": "threshold = 0.5\n"})
    commit(origin, {}, "Only a note [skip ci]")
    ended = drive(home, store_push(home, origin))
    assert (ended.run.state, ended.run.reason, ended.status) == (State.CANCELLED, Reason.SKIPPED, 5)
    assert ended.run.trials == ()


def test_second_server_of_a_home_is_refused(home: Path, tmp_path: Path) -> None:
    """Two servers with the same home would compete for its runs."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT, "epochal.toml": "threshold = 0.5\n"})
    with running_server(home, origin):
        second = epochal(home, "serve")
    assert second.returncode == 2
    assert "is already running" in second.stderr


def test_mail_is_kept_until_the_mail_server_answers(home: Path, tmp_path: Path) -> None:
    """While the mail server is down, the email stays in the outbox; the next ``epochal serve`` sends it."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT, "epochal.toml": "threshold = 0.5\n"})
    write_settings(home, origin, mail_port=9)  # Nothing listens on this port.
    ended = epochal(home, "run", str(origin), "--runtime", "process")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Epochal will try again" in ended.stdout
    assert epochal(home, "mail", "--flush").returncode == 1
    with running_server(home, origin) as server:
        first, second = sorted(str(server.wait_for_mail()["Subject"]) for _ in range(2))
    # One email is for the run started by hand, the other for the same commit, which the server found at startup.
    assert second == f"{first}, reused from run 1"


@contextmanager
def _refused_mail(home: Path, tmp_path: Path, answer: str, logged: str) -> Iterator[Inbox]:
    """Run a commit while the mail server refuses its email with ``answer``, and yield the server's inbox."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT, "epochal.toml": "threshold = 0.5\n"})
    inbox = Inbox({"MAIL": answer})
    with mail_server(inbox) as port:
        write_settings(home, origin, port)
        ended = epochal(home, "run", str(origin), "--runtime", "process")
        assert logged in ended.stdout, ended.stdout + ended.stderr
        yield inbox


def test_pending_mail_is_sent_by_the_command(home: Path, tmp_path: Path) -> None:
    """``epochal mail --flush`` exits with 1 until the mail server accepts the email, then with 0. It is sent once."""
    with _refused_mail(home, tmp_path, "451 try again later", "Epochal will try again") as inbox:
        assert epochal(home, "mail", "--flush").returncode == 1
        inbox.answers.clear()
        other = make_repository(tmp_path / "other", {"nn.py": "print('Test accuracy: 0.9')\n"})
        assert "mail:" not in epochal(home, "run", str(other), "--runtime", "process", "--no-mail").stdout
        assert [epochal(home, "mail", "--flush").returncode for _ in range(2)] == [0, 0]
    assert len(inbox.envelopes) == 1


def test_mail_that_is_refused_for_good_fails_the_command(home: Path, tmp_path: Path) -> None:
    """``epochal mail --retry`` exits with 1 until the mail server accepts the email, then with 0."""
    with _refused_mail(home, tmp_path, "550 unknown sender", "to try again, run epochal mail --retry") as inbox:
        assert epochal(home, "mail", "--retry").returncode == 1
        assert epochal(home, "mail", "--flush").returncode == 0  # Nothing is pending.
        inbox.answers.clear()
        assert epochal(home, "mail", "--retry").returncode == 0
    assert len(inbox.envelopes) == 1
