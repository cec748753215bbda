"""A real gateway and real job scripts, with the stand-in for Jenkins between them: nothing is lost, nothing runs twice."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from epochal.chains.jenkins import provisioning
from epochal.chains.jenkins.client import JenkinsClient
from epochal.chains.jenkins.definitions import OPTIONAL
from epochal.errors import Reason
from epochal.records import State
from epochal.resources import resource
from epochal.settings import read_server_settings
from tests.chains.jenkins.standin import TOKEN, USER, StandIn
from tests.integration.served import Mails, Served, mailbox, served, write_settings
from tests.jobs.chain import environment_of, epochal, store_push, stored_run
from tests.repositories import commit, make_repository
from tests.warm import warm_epochal

_LEARNS = "epochs = 20\nprint(f'Test accuracy: {epochs / 40}')\n"
_TOML = "threshold = 0.7\n"


def _waits(pipe: Path) -> str:
    """Code that trains until somebody has read the pipe and then written to the one beside it."""
    return f"open({str(pipe)!r}, 'w').write('x')\nopen({f'{pipe}.go'!r}).read()\n{_LEARNS}"


_DIES_SLOWLY = """\
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.7), sys.exit(1)))
"""


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """What a training waits at."""
    os.mkfifo(tmp_path / "training")
    os.mkfifo(tmp_path / "training.go")
    return tmp_path / "training"


def _let_go(pipe: Path) -> None:
    Path(f"{pipe}.go").write_text("go")


@pytest.fixture(autouse=True)
def _jenkins_has_epochal(standin: StandIn, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPOCHAL_JENKINS_TOKEN", TOKEN)
    standin.environment |= {
        "EPOCHAL_HOME": str(home),
        "EPOCHAL_SCRIPTS": str(resource("scripts")),
        "EPOCHAL_PYTHON": str(warm_epochal()),
        **{name: value for name, value in os.environ.items() if name == "EPOCHAL_CA_BUNDLE"},
    }


def _settings(standin: StandIn, more: str = "") -> str:
    return f'chain = "jenkins"\njenkins = {{url = "{standin.url}", user = "{USER}"}}\n{more}'


@contextmanager
def _gateway(
    home: Path, origin: Path, standin: StandIn, more: str = "", mail: tuple[Mails, int] | None = None, *left_out: str
) -> Iterator[Served]:
    """The jobs in Jenkins, then a gateway that uses them."""
    write_settings(home, origin, 1, _settings(standin, more))
    settings = read_server_settings(environment_of(home))
    if not standin.jobs:
        provisioning.apply(JenkinsClient(standin.url, USER, TOKEN), settings, left_out, lambda line: None)
    with served(home, origin, _settings(standin, more), mail) as server:
        yield server


def _results(standin: StandIn) -> dict[str, list[str | None]]:
    return {job: [build.result for build in builds] for job, builds in standin.builds.items()}


@pytest.mark.parametrize("left_out", [(), OPTIONAL], ids=["all plugins", "no plugins"])
def test_from_the_push_to_the_mail(home: Path, tmp_path: Path, standin: StandIn, left_out: tuple[str, ...]) -> None:
    """pull SUCCESS, train UNSTABLE, retrain SUCCESS, each once; named, linked, archived; the mail has the build's link.

    Without plugins the gateway starts the next job, and pull fetches by itself.
    """
    standin.plugins = {name: version for name, version in standin.plugins.items() if name not in left_out}
    origin = make_repository(tmp_path / "digits", {"nn.py": _LEARNS, "epochal.toml": _TOML})
    with _gateway(home, origin, standin, "", None, *left_out) as server:
        server.push(origin)
        mail = server.mail()
        assert mail["Subject"].startswith("Threshold Accuracy Reached!!!"), mail
        body = mail.get_body(("plain",))
        standin.wait(lambda: all(standin.newest(job).description for job in ("pull", "train", "retrain")))
        standin.wait(lambda: "retrain: " in (standin.newest("train").description or ""))
    assert _results(standin) == {"pull": ["SUCCESS"], "train": ["UNSTABLE"], "retrain": ["SUCCESS"]}
    assert body
    assert f"{standin.url}job/retrain/1/" in body.get_content()
    sha = stored_run(home, 1).commit.sha
    pull, train, retrain = (standin.newest(job) for job in ("pull", "train", "retrain"))
    assert pull.name == f"digits main {sha[:7]}"
    assert (train.name, retrain.name) == ("0.500 of 0.70 · 1 trial", "0.750 of 0.70 · 2 trials")
    assert f"retrain: {standin.url}job/retrain/1/" in str(train.description)
    assert f"train: {standin.url}job/train/1/" in str(retrain.description)
    assert retrain.console.splitlines()[-2] == "run 1: 0.750 of 0.70 · 2 trials"
    archived = retrain.folder / "archive/epochal-run"
    assert (archived / "trial-2/train.log").read_text() == "Test accuracy: 0.75\n"
    assert "+epochs = 30" in (archived / "trial-2/change.diff").read_text()
    if not left_out:
        assert pull.parameters["EPOCHAL_RUN"] == "1"
        assert f"git checkout --quiet -f {sha}" in pull.console


def test_jenkins_is_away_when_the_push_comes(home: Path, tmp_path: Path, standin: StandIn) -> None:
    """What is delivered while Jenkins is down, or starting, is triggered once it answers, by another gateway, too."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _LEARNS, "epochal.toml": "threshold = 0.5\n"})
    with mailbox() as mail:
        with _gateway(home, origin, standin, "", mail):
            pass
        standin.stop()
        with _gateway(home, origin, standin, "", mail) as server:
            server.push(origin)
        standin.start()
        from tests.chains.jenkins.answers import ANSWERS

        standin.next_answers += [ANSWERS["starting GET"], ANSWERS["starting"]]
        with _gateway(home, origin, standin, "", mail) as server:
            assert "Reached" in server.mail()["Subject"]
    assert _results(standin) == {"pull": ["SUCCESS"], "train": ["SUCCESS"]}


@pytest.mark.parametrize("how", ["kill", "shut_down"])
def test_jenkins_ends_in_the_middle(home: Path, tmp_path: Path, standin: StandIn, pipe: Path, how: str) -> None:
    """A build that Jenkins lost, or aborted by its own shutdown, is triggered again when Jenkins is back."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _waits(pipe), "epochal.toml": "threshold = 0.5\n"})
    with _gateway(home, origin, standin) as server:
        server.push(origin)
        pipe.read_text()
        getattr(standin, how)()
        standin.start()
        pipe.read_text()
        _let_go(pipe)
        assert "Reached" in server.mail()["Subject"]
        standin.wait(lambda: not standin.newest("train").building)
    lost = [] if how == "kill" else ["ABORTED"]
    assert _results(standin) == {"pull": ["SUCCESS"], "train": [*lost, "SUCCESS"]}
    assert standin.newest("train").number == 2


@pytest.mark.parametrize("dies", ["", _DIES_SLOWLY], ids=["at once", "slowly"])
def test_a_person_stops_a_build(home: Path, tmp_path: Path, standin: StandIn, pipe: Path, dies: str) -> None:
    """Stopped in Jenkins is cancelled, for good, and nobody is mailed: that Jenkins ends nn.py first is no failure of it."""
    origin = make_repository(tmp_path / "digits", {"nn.py": dies + _waits(pipe), "epochal.toml": _TOML})
    with _gateway(home, origin, standin) as server:
        server.push(origin)
        pipe.read_text()
        JenkinsClient(standin.url, USER, TOKEN).stop_build("train", 1)
        standin.wait(lambda: "cancelled" in (standin.newest("train").description or ""))
        assert server.mails.empty()
    assert stored_run(home, 1).state is State.CANCELLED
    assert _results(standin) == {"pull": ["SUCCESS"], "train": ["ABORTED"]}


def test_a_person_takes_it_out_of_the_queue(home: Path, tmp_path: Path, standin: StandIn) -> None:
    """An item that was cancelled while it waited is a cancelled run."""
    standin.agent_online = False
    origin = make_repository(tmp_path / "digits", {"nn.py": _LEARNS})
    with _gateway(home, origin, standin) as server:
        server.push(origin)
        standin.wait(lambda: standin.queue)
        JenkinsClient(standin.url, USER, TOKEN).cancel_item(standin.queue[0].number)
        _until_ended(home, 1)
    assert stored_run(home, 1).state is State.CANCELLED
    assert standin.builds == {}


def test_superseded_and_cancelled_builds_end_aborted(home: Path, tmp_path: Path, standin: StandIn, pipe: Path) -> None:
    """With supersede = "running" a newer commit's run stops the older one's build; epochal cancel stops that one's.

    In a Jenkins, too, that does not know its own address and so tells a job none.
    """
    standin.knows_its_address = False
    origin = make_repository(tmp_path / "digits", {"nn.py": _waits(pipe), "epochal.toml": _TOML})
    with _gateway(home, origin, standin, 'supersede = "running"\n') as server:
        server.push(origin)
        pipe.read_text()
        commit(origin, {"notes.txt": "one more"}, "Second")
        server.push(origin)
        pipe.read_text()
        assert epochal(home, "cancel", "2").returncode == 0
        _until_ended(home, 2)
        standin.wait(lambda: not any(build.building for build in standin.builds["train"]))
    assert [stored_run(home, number).state for number in (1, 2)] == [State.SUPERSEDED, State.CANCELLED]
    assert _results(standin) == {"pull": ["SUCCESS", "SUCCESS"], "train": ["ABORTED", "ABORTED"]}


def test_a_cancelled_search_ends_aborted(home: Path, tmp_path: Path, standin: StandIn, pipe: Path) -> None:
    """A run that is cancelled in its search is cancelled in the database, grey in Jenkins, and nobody is mailed."""
    waits = f"    open({str(pipe)!r}, 'w').write('x')\n    open({f'{pipe}.go'!r}).read()\n"
    script = f"kernel = 'small'\nif kernel == 'large':\n{waits}print('Test accuracy: 0.1')\n"
    settings = 'threshold = 0.99\n[search]\nkernel = { choices = ["small", "large"] }\n'
    origin = make_repository(tmp_path / "digits", {"nn.py": script, "epochal.toml": settings})
    with _gateway(home, origin, standin) as server:
        server.push(origin)
        pipe.read_text()
        assert epochal(home, "cancel", "1").returncode == 0
        _until_ended(home, 1)
        standin.wait(lambda: not standin.newest("retrain").building)
        assert server.mails.empty()
    assert stored_run(home, 1).state is State.CANCELLED
    assert _results(standin) == {"pull": ["SUCCESS"], "train": ["UNSTABLE"], "retrain": ["ABORTED"]}


def test_a_build_that_cannot_say_why_is_given_up(home: Path, tmp_path: Path, standin: StandIn) -> None:
    """Three builds that fail before the script has a word: the run fails, with the console's address in the mail."""
    standin.environment["EPOCHAL_SCRIPTS"] = "/nowhere"
    origin = make_repository(tmp_path / "digits", {"nn.py": _LEARNS})
    with _gateway(home, origin, standin) as server:
        server.push(origin)
        mail = server.mail()
    run = stored_run(home, 1)
    assert (run.state, run.reason) == (State.FAILED, Reason.BUILD_FAILED)
    assert "failed: build failed" in mail["Subject"]
    assert f"{standin.url}job/pull/3/" in run.explanation
    assert _results(standin) == {"pull": ["FAILURE"] * 3}


def test_a_failed_run_is_red_and_ends_the_chain(home: Path, tmp_path: Path, standin: StandIn) -> None:
    """A reason that the user can mend: FAILURE, mail, and no retrain."""
    origin = make_repository(tmp_path / "digits", {"nn.py": "raise SystemExit('no data')\n"})
    with _gateway(home, origin, standin) as server:
        server.push(origin)
        assert "Training failed" in server.mail()["Subject"]
        standin.wait(lambda: standin.newest("train").description)
    assert _results(standin) == {"pull": ["SUCCESS"], "train": ["FAILURE"]}
    assert "no data" in str(standin.newest("train").description)


def test_a_run_that_cannot_be_driven_keeps_no_other_waiting(home: Path, tmp_path: Path, standin: StandIn) -> None:
    """Its repository is not watched any more: it waits, and the next one is driven to its end."""
    stray = store_push(home, make_repository(tmp_path / "stray", {"nn.py": _LEARNS}))
    origin = make_repository(tmp_path / "digits", {"nn.py": _LEARNS, "epochal.toml": "threshold = 0.5\n"})
    with _gateway(home, origin, standin) as server:
        server.push(origin)
        assert server.mail()["Subject"].startswith("Threshold Accuracy Reached!!!")
    assert stored_run(home, stray.id).state is State.QUEUED


def test_github_may_start_pull_itself(home: Path, tmp_path: Path, standin: StandIn) -> None:
    """Without a run's number, and without a gateway, pull makes the one run of the commit; the same again is no other."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _LEARNS, "epochal.toml": "threshold = 0.5\n"})
    with mailbox() as mail:
        write_settings(home, origin, mail[1], _settings(standin))
        settings = read_server_settings(environment_of(home))
        provisioning.apply(JenkinsClient(standin.url, USER, TOKEN), settings, (), lambda line: None)
        standin.enqueue("pull", {})
        standin.wait(lambda: "train" in standin.builds and not standin.newest("train").building)
        assert stored_run(home, 1).state is State.REACHED
        assert mail[0].get(timeout=60)["Subject"].startswith("Threshold Accuracy Reached!!!")
        standin.enqueue("pull", {})
        standin.wait(lambda: len(standin.builds["pull"]) == 2 and not standin.newest("pull").building)
    assert _results(standin) == {"pull": ["SUCCESS", "SUCCESS"], "train": ["SUCCESS"]}


def _until_ended(home: Path, number: int) -> None:
    import threading

    for _ in range(600):
        if stored_run(home, number).state.ended:
            return
        threading.Event().wait(0.1)
    raise AssertionError("the run did not end")
