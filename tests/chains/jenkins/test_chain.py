"""The Jenkins chain with a real gateway, real job scripts and a stand-in for Jenkins: no run is lost or executed twice."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from epochal.app import App
from epochal.chains.jenkins import chain, provisioning
from epochal.chains.jenkins.client import JenkinsClient
from epochal.chains.jenkins.definitions import OPTIONAL_PLUGINS
from epochal.errors import Reason, UsageError
from epochal.folders import resource
from epochal.records import Run, State
from epochal.settings import ServerSettings, read_server_settings
from epochal.store.database import Database
from epochal.store.errors import DatabaseUnavailable
from tests.chains.jenkins.standin import TOKEN, USER, Build, StandIn
from tests.integration.served import Mails, Server, mailbox, running_server, write_settings
from tests.jobs.chain import environment_of, epochal, store_push, stored_run
from tests.repositories import commit, make_repository
from tests.warm import warm_epochal

_IMPROVING_SCRIPT = "epochs = 20\nprint(f'Test accuracy: {epochs / 40}')\n"
_TOML = "threshold = 0.7\n"


def _waiting_script(pipe: Path) -> str:
    """Return a script that waits until the test has read ``pipe`` and then called ``_release``."""
    return f"open({str(pipe)!r}, 'w').write('x')\nopen({f'{pipe}.go'!r}).read()\n{_IMPROVING_SCRIPT}"


_SLOW_EXIT = """\
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.7), sys.exit(1)))
"""


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """Return the pipe on which a training script waits for the test; ``_release`` writes to the pipe beside it."""
    os.mkfifo(tmp_path / "training")
    os.mkfifo(tmp_path / "training.go")
    return tmp_path / "training"


def _release(pipe: Path) -> None:
    Path(f"{pipe}.go").write_text("go")


@pytest.fixture(autouse=True)
def _provide_epochal_to_jenkins(standin: StandIn, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPOCHAL_JENKINS_TOKEN", TOKEN)
    standin.environment |= {
        "EPOCHAL_HOME": str(home),
        "EPOCHAL_SCRIPTS": str(resource("scripts")),
        "EPOCHAL_PYTHON": str(warm_epochal()),
        **{name: value for name, value in os.environ.items() if name == "EPOCHAL_CA_BUNDLE"},
    }


def _format_settings(standin: StandIn, extra: str = "") -> str:
    return f'chain = "jenkins"\njenkins = {{url = "{standin.url}", user = "{USER}"}}\n{extra}'


@contextmanager
def _gateway(
    home: Path, origin: Path, standin: StandIn, extra: str = "", mail: tuple[Mails, int] | None = None, *without: str
) -> Iterator[Server]:
    """Create the jobs in Jenkins, if it has none yet, and run a gateway that uses them."""
    write_settings(home, origin, 1, _format_settings(standin, extra))
    settings = read_server_settings(environment_of(home))
    if not standin.jobs:
        provisioning.apply(JenkinsClient(standin.url, USER, TOKEN), settings, without, lambda line: None)
    with running_server(home, origin, _format_settings(standin, extra), mail) as server:
        yield server


def _list_results(standin: StandIn) -> dict[str, list[str | None]]:
    return {job: [build.result for build in builds] for job, builds in standin.builds.items()}


@pytest.mark.parametrize("without", [(), OPTIONAL_PLUGINS], ids=["all plugins", "no plugins"])
def test_push_is_trained_retrained_and_mailed(
    home: Path, tmp_path: Path, standin: StandIn, without: tuple[str, ...]
) -> None:
    """Each job is built once, with its name, links and archived files; the email links to the last build.

    Without plugins the gateway starts the next job, and the pull job fetches the commit itself.
    """
    standin.plugins = {name: version for name, version in standin.plugins.items() if name not in without}
    origin = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT, "epochal.toml": _TOML})
    with _gateway(home, origin, standin, "", None, *without) as server:
        server.push(origin)
        mail = server.wait_for_mail()
        assert mail["Subject"].startswith("Threshold Accuracy Reached!!!"), mail
        body = mail.get_body(("plain",))
        standin.wait(lambda: all(standin.newest(job).description for job in ("pull", "train", "retrain")))
        standin.wait(lambda: "retrain: " in (standin.newest("train").description or ""))
    assert _list_results(standin) == {"pull": ["SUCCESS"], "train": ["UNSTABLE"], "retrain": ["SUCCESS"]}
    assert body
    assert f"{standin.url}job/retrain/1/" in body.get_content()
    sha = stored_run(home, 1).commit.sha
    pull, train, retrain = (standin.newest(job) for job in ("pull", "train", "retrain"))
    assert pull.name == f"digits main {sha[:7]}"
    assert (train.name, retrain.name) == ("0.500 (threshold 0.70) · 1 trial", "0.750 (threshold 0.70) · 2 trials")
    assert f"retrain: {standin.url}job/retrain/1/" in str(train.description)
    assert f"train: {standin.url}job/train/1/" in str(retrain.description)
    assert "run 1: 0.750 (threshold 0.70) · 2 trials" in retrain.console.splitlines()
    archived = retrain.folder / "archive/epochal-run"
    assert (archived / "trial-2/train.log").read_text() == "Test accuracy: 0.75\n"
    assert "+epochs = 30" in (archived / "trial-2/change.diff").read_text()
    if not without:
        assert pull.parameters["EPOCHAL_RUN"] == "1"
        assert f"git checkout --quiet -f {sha}" in pull.console


def test_push_while_jenkins_is_down_is_triggered_later(home: Path, tmp_path: Path, standin: StandIn) -> None:
    """The push is stored while Jenkins is down; a restarted gateway triggers it once Jenkins has started."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT, "epochal.toml": "threshold = 0.5\n"})
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
            assert "Reached" in server.wait_for_mail()["Subject"]
        standin.wait(lambda: not standin.newest("train").building)
    assert _list_results(standin) == {"pull": ["SUCCESS"], "train": ["SUCCESS"]}


@pytest.mark.parametrize("interruption", ["kill", "shut_down"])
def test_build_that_jenkins_interrupted_is_triggered_again(
    home: Path, tmp_path: Path, standin: StandIn, pipe: Path, interruption: str
) -> None:
    """The build is lost if Jenkins is killed, and ABORTED if it is shut down; the next build completes the run."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _waiting_script(pipe), "epochal.toml": "threshold = 0.5\n"})
    with _gateway(home, origin, standin) as server:
        server.push(origin)
        pipe.read_text()
        getattr(standin, interruption)()
        standin.start()
        pipe.read_text()
        _release(pipe)
        assert "Reached" in server.wait_for_mail()["Subject"]
        standin.wait(lambda: not standin.newest("train").building)
    first_result = [] if interruption == "kill" else ["ABORTED"]
    assert _list_results(standin) == {"pull": ["SUCCESS"], "train": [*first_result, "SUCCESS"]}
    assert standin.newest("train").number == 2


@pytest.mark.parametrize("handler", ["", _SLOW_EXIT], ids=["exits at once", "exits slowly"])
def test_stopping_a_build_in_jenkins_cancels_its_run(
    home: Path, tmp_path: Path, standin: StandIn, pipe: Path, handler: str
) -> None:
    """Nobody gets an email, and the run does not count as failed, although Jenkins ends nn.py before the job."""
    origin = make_repository(tmp_path / "digits", {"nn.py": handler + _waiting_script(pipe), "epochal.toml": _TOML})
    with _gateway(home, origin, standin) as server:
        server.push(origin)
        pipe.read_text()
        JenkinsClient(standin.url, USER, TOKEN).stop_build("train", 1)
        standin.wait(lambda: "cancelled" in (standin.newest("train").description or ""))
        assert server.mails.empty()
    assert stored_run(home, 1).state is State.CANCELLED
    assert _list_results(standin) == {"pull": ["SUCCESS"], "train": ["ABORTED"]}


def test_removing_a_queue_item_cancels_its_run(home: Path, tmp_path: Path, standin: StandIn) -> None:
    """No build is started for the run."""
    standin.agent_online = False
    origin = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT})
    with _gateway(home, origin, standin) as server:
        server.push(origin)
        standin.wait(lambda: standin.queue)
        JenkinsClient(standin.url, USER, TOKEN).cancel_item(standin.queue[0].number)
        _wait_until_ended(home, 1)
    assert stored_run(home, 1).state is State.CANCELLED
    assert standin.builds == {}


def test_builds_of_superseded_and_cancelled_runs_end_aborted(
    home: Path, tmp_path: Path, standin: StandIn, pipe: Path
) -> None:
    """With supersede = "running", a newer commit stops the older run's build; epochal cancel stops the newer one's.

    This Jenkins does not know its own address, so it passes no BUILD_URL to the jobs.
    """
    standin.knows_its_url = False
    origin = make_repository(tmp_path / "digits", {"nn.py": _waiting_script(pipe), "epochal.toml": _TOML})
    with _gateway(home, origin, standin, 'supersede = "running"\n') as server:
        server.push(origin)
        pipe.read_text()
        commit(origin, {"notes.txt": "one more"}, "Second")
        server.push(origin)
        pipe.read_text()
        assert epochal(home, "cancel", "2").returncode == 0
        _wait_until_ended(home, 2)
        standin.wait(lambda: not any(build.building for build in standin.builds["train"]))
    assert [stored_run(home, number).state for number in (1, 2)] == [State.SUPERSEDED, State.CANCELLED]
    assert _list_results(standin) == {"pull": ["SUCCESS", "SUCCESS"], "train": ["ABORTED", "ABORTED"]}


def test_build_of_a_cancelled_search_ends_aborted(home: Path, tmp_path: Path, standin: StandIn, pipe: Path) -> None:
    """The run is cancelled, and nobody gets an email."""
    waits = f"    open({str(pipe)!r}, 'w').write('x')\n    open({f'{pipe}.go'!r}).read()\n"
    script = f"kernel = 'small'\nif kernel == 'large':\n{waits}print('Test accuracy: 0.1')\n"
    settings = 'threshold = 0.99\n[search]\nkernel = { choices = ["small", "large"] }\n'
    origin = make_repository(tmp_path / "digits", {"nn.py": script, "epochal.toml": settings})
    with _gateway(home, origin, standin) as server:
        server.push(origin)
        pipe.read_text()
        assert epochal(home, "cancel", "1").returncode == 0
        _wait_until_ended(home, 1)
        standin.wait(lambda: not standin.newest("retrain").building)
        assert server.mails.empty()
    assert stored_run(home, 1).state is State.CANCELLED
    assert _list_results(standin) == {"pull": ["SUCCESS"], "train": ["UNSTABLE"], "retrain": ["ABORTED"]}


def test_run_fails_after_three_builds_without_a_result(home: Path, tmp_path: Path, standin: StandIn) -> None:
    """The builds fail before the job script starts, so the explanation links to the console of the last build."""
    standin.environment["EPOCHAL_SCRIPTS"] = "/nowhere"
    origin = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT})
    with _gateway(home, origin, standin) as server:
        server.push(origin)
        mail = server.wait_for_mail()
    run = stored_run(home, 1)
    assert (run.state, run.reason) == (State.FAILED, Reason.BUILD_FAILED)
    assert "failed: build failed" in mail["Subject"]
    assert f"{standin.url}job/pull/3/" in run.explanation
    assert _list_results(standin) == {"pull": ["FAILURE"] * 3}


def test_failed_training_fails_the_build_and_starts_no_retrain(home: Path, tmp_path: Path, standin: StandIn) -> None:
    """The email and the build's description say that the script failed."""
    origin = make_repository(tmp_path / "digits", {"nn.py": "raise SystemExit('no data')\n"})
    with _gateway(home, origin, standin) as server:
        server.push(origin)
        assert "Training failed" in server.wait_for_mail()["Subject"]
        standin.wait(lambda: standin.newest("train").description)
    assert _list_results(standin) == {"pull": ["SUCCESS"], "train": ["FAILURE"]}
    assert "no data" in str(standin.newest("train").description)


def test_run_without_a_pull_job_does_not_block_others(home: Path, tmp_path: Path, standin: StandIn) -> None:
    """A run of a repository that is not watched stays queued, while other runs proceed."""
    stray = store_push(home, make_repository(tmp_path / "stray", {"nn.py": _IMPROVING_SCRIPT}))
    origin = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT, "epochal.toml": "threshold = 0.5\n"})
    with _gateway(home, origin, standin) as server:
        server.push(origin)
        assert server.wait_for_mail()["Subject"].startswith("Threshold Accuracy Reached!!!")
    assert stored_run(home, stray.id).state is State.QUEUED


def test_pull_started_without_a_run_creates_it_once(home: Path, tmp_path: Path, standin: StandIn) -> None:
    """Jenkins' GitHub plugin starts pull without a run number; a second such build creates no second run."""
    origin = make_repository(tmp_path / "digits", {"nn.py": _IMPROVING_SCRIPT, "epochal.toml": "threshold = 0.5\n"})
    with mailbox() as mail:
        write_settings(home, origin, mail[1], _format_settings(standin))
        settings = read_server_settings(environment_of(home))
        provisioning.apply(JenkinsClient(standin.url, USER, TOKEN), settings, (), lambda line: None)
        standin.enqueue("pull", {})
        standin.wait(lambda: "train" in standin.builds and not standin.newest("train").building)
        assert stored_run(home, 1).state is State.REACHED
        assert mail[0].get(timeout=60)["Subject"].startswith("Threshold Accuracy Reached!!!")
        standin.enqueue("pull", {})
        standin.wait(lambda: len(standin.builds["pull"]) == 2 and not standin.newest("pull").building)
    assert _list_results(standin) == {"pull": ["SUCCESS", "SUCCESS"], "train": ["SUCCESS"]}


def test_database_that_does_not_answer_is_asked_again(
    home: Path,
    tmp_path: Path,
    standin: StandIn,
    client: JenkinsClient,
    settings: ServerSettings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """If the database does not answer, the run of a build is not taken to be missing; the query is repeated."""
    asked, asked_again = threading.Event(), threading.Event()

    def load_no_run(database: Database, number: int) -> Run:
        if asked.is_set():
            asked_again.set()
            raise UsageError("There is no such run.")
        asked.set()
        raise DatabaseUnavailable("the database does not answer: gone")

    monkeypatch.setattr(chain, "load_run", load_no_run)
    provisioning.apply(client, settings, (), lambda line: None)
    standin.builds["t-train"] = [Build("t-train", 1, 1, {"EPOCHAL_RUN": "7"}, tmp_path, building=False)]
    app = App.open(environment_of(home))
    jenkins_chain = chain.JenkinsChain(app, client)
    jenkins_chain.start()
    assert asked_again.wait(30)
    jenkins_chain.stop()
    app.database.close()
    assert caplog.messages == ["the database does not answer: gone. Trying again."]


def _wait_until_ended(home: Path, number: int) -> None:
    for _ in range(600):
        if stored_run(home, number).state.ended:
            return
        threading.Event().wait(0.1)
    raise AssertionError("the run did not end")
