"""The whole way with a real server, from the webhook to the mail, on code that needs no framework."""

import os
import signal
from pathlib import Path

import pytest

from epochal.errors import Reason
from epochal.records import State
from tests.integration.served import mailbox, served, start_server, write_settings
from tests.jobs.chain import drive, epochal, epochal_json, store_push, stored_run
from tests.repositories import commit, make_repository

_LEARNS = "epochs = 20\nprint(f'Test accuracy: {epochs / 40}')\n"


def _waits(pipe: Path, text: str) -> str:
    """Code that trains until somebody has read the pipe and then written to the one beside it."""
    return f"open({str(pipe)!r}, 'w').write('x')\nopen({f'{pipe}.go'!r}).read()\n{text}"


def _pipes(folder: Path, name: str) -> Path:
    os.mkfifo(folder / name)
    os.mkfifo(folder / f"{name}.go")
    return folder / name


def _let_go(pipe: Path) -> None:
    Path(f"{pipe}.go").write_text("go")


def test_from_the_webhook_to_the_mail(home: Path, tmp_path: Path) -> None:
    """A push is stored, trained, retrained and mailed; the same delivery's commit again is no second run."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _LEARNS, "epochal.toml": "threshold = 0.7\n"})
    with served(home, origin) as server:
        assert server.push(origin)["run"] == 1
        mail = server.mail()
        assert mail["Subject"].startswith("Threshold Accuracy Reached!!! 0.750 of 0.70 · digits main ")
        assert mail["To"] == "ada@example.com"
        body = mail.get_body(("plain",))
        assert body is not None
        for expected in (
            "epochs = 20 → 30",
            "-epochs = 20\n",
            "+epochs = 30\n",
            "First",
            "from the line that nn.py printed",
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


def test_each_start_prints_what_github_needs_until_it_has_delivered(home: Path, tmp_path: Path) -> None:
    """The address and the path of the secret are printed at each start of the server, until there was a delivery."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _LEARNS, "epochal.toml": "threshold = 0.4\n"})
    write_settings(home, origin, 1)
    assert all("To enter at GitHub " in _output_of_a_start(home) for _ in range(2))
    with served(home, origin) as server:
        server.push(origin)
        server.mail()
    assert "To enter" not in _output_of_a_start(home)


def _output_of_a_start(home: Path) -> str:
    """Start the server, stop it once it has printed its address, and return what came after that."""
    with start_server(home) as process:
        assert process.stdout
        first = process.stdout.readline()
        process.terminate()
        assert first.startswith("gateway: ")
        return process.stdout.read()


def test_three_commits_while_the_first_trains(home: Path, tmp_path: Path) -> None:
    """The first goes on, the second is superseded by the third, and both that train end in order."""
    pipe = _pipes(tmp_path, "first")
    toml = "threshold = 0.5\n"
    origin = make_repository(tmp_path / "digits", {"nn.py": _waits(pipe, _LEARNS), "epochal.toml": toml})
    with served(home, origin) as server:
        server.push(origin)
        pipe.read_text()  # the first trains
        for name in ("second", "third"):
            commit(origin, {"nn.py": f"# {name}\n{_LEARNS}"}, name)
            server.push(origin)
        _let_go(pipe)
        subjects = [str(server.mail()["Subject"]) for _ in range(2)]
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


def test_a_running_one_is_superseded_where_the_admin_says_so(home: Path, tmp_path: Path) -> None:
    """With supersede = "running" a newer commit stops the older one's training."""
    pipe = _pipes(tmp_path, "first")
    origin = make_repository(tmp_path / "digits", {"nn.py": _waits(pipe, _LEARNS), "epochal.toml": "threshold = 0.5\n"})
    with served(home, origin, 'supersede = "running"\n') as server:
        server.push(origin)
        pipe.read_text()
        commit(origin, {"nn.py": _LEARNS}, "Second")
        server.push(origin)
        assert "main" in server.mail()["Subject"]
    assert [stored_run(home, number).state for number in (1, 2)] == [State.SUPERSEDED, State.REACHED]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_server_goes_on_where_it_was(home: Path, tmp_path: Path, how: signal.Signals) -> None:
    """Stopped or killed in the middle of a training, the next start ends the run: one mail, nothing lost."""
    pipe = _pipes(tmp_path, "first")
    files: dict[str, str | bytes] = {"nn.py": _waits(pipe, _LEARNS), "epochal.toml": "threshold = 0.5\n"}
    origin = make_repository(tmp_path / "digits", files)
    with mailbox() as (mails, port):
        with served(home, origin, mail=(mails, port)) as server:
            server.push(origin)
            pipe.read_text()
            server.process.send_signal(how)
            server.process.wait()
        if how is signal.SIGTERM:
            assert stored_run(home, 1).state is State.TRAINING
        with served(home, origin, mail=(mails, port)) as server:
            if how is signal.SIGTERM:
                pipe.read_text()  # it trains again; after the kill it is the first training that still runs
            _let_go(pipe)
            assert server.mail()["Subject"].startswith("Threshold Accuracy Reached!!!")
            assert server.mails.empty()
    assert stored_run(home, 1).state is State.REACHED


def test_a_push_during_downtime_is_not_missed(home: Path, tmp_path: Path) -> None:
    """At its start the server compares the remote's head with the last run, and trains what it has not seen."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _LEARNS, "epochal.toml": "threshold = 0.5\n"})
    with served(home, origin) as server:
        assert server.mail()["Subject"].startswith("Threshold Accuracy Reached!!!")
    commit(origin, {"nn.py": f"# second\n{_LEARNS}"}, "Second")
    with served(home, origin) as server:
        server.mail()
    assert len(epochal_json(home, "history")) == 2


def test_a_commit_that_asks_not_to_be_trained_is_not(home: Path, tmp_path: Path) -> None:
    """A head that no webhook told of, whose message says [skip ci], starts no training once that is known."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _LEARNS, "epochal.toml": "threshold = 0.5\n"})
    commit(origin, {}, "Only a note [skip ci]")
    ended = drive(home, store_push(home, origin))
    assert (ended.run.state, ended.run.reason, ended.status) == (State.CANCELLED, Reason.SKIPPED, 5)
    assert ended.run.trials == ()


def test_a_home_is_served_once(home: Path, tmp_path: Path) -> None:
    """A second server of the same home is refused, in one line."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _LEARNS, "epochal.toml": "threshold = 0.5\n"})
    with served(home, origin):
        second = epochal(home, "serve")
    assert second.returncode == 2
    assert "is served already" in second.stderr


def test_mail_waits_for_the_mail_server(home: Path, tmp_path: Path) -> None:
    """While the mail server is away the mail stays in the outbox; epochal mail --flush, or the next server, sends it."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _LEARNS, "epochal.toml": "threshold = 0.5\n"})
    write_settings(home, origin, mail_port=9)  # nobody answers there
    ended = epochal(home, "run", str(origin), "--runtime", "process")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "it is tried again" in ended.stdout
    assert epochal(home, "mail", "--flush").returncode == 1
    with served(home, origin) as server:
        first, second = sorted(str(server.mail()["Subject"]) for _ in range(2))
    # The person's run, and the push found at the start, which means the same.
    assert second == f"{first}, taken over from run 1"
