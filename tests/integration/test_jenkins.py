"""The whole way through a Jenkins: apply, push, pull → train (UNSTABLE) → retrain (SUCCESS), mail, stop, cancel, delete.

make test-jenkins JENKINS_URL=… JENKINS_USER=… JENKINS_TOKEN_FILE=… runs it against a genuine Jenkins, which needs an
executor on this machine, run by the same user, and no plugin: what is missing is left out, and said. Without these
variables it runs against the stand-in, with all plugins and with none, so that the suite itself is tried.
"""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jenkins as python_jenkins
import pytest

from epochal.chains.jenkins import provisioning
from epochal.chains.jenkins.checks import check_all
from epochal.chains.jenkins.client import JenkinsClient
from epochal.chains.jenkins.definitions import OPTIONAL
from epochal.chains.jenkins.plugins import pinned_plugins
from epochal.demo.github import deliver, push_event
from epochal.resources import resource
from epochal.settings import ServerSettings, read_server_settings
from tests.chains.jenkins.standin import TOKEN, USER, StandIn
from tests.integration.served import Mails, mailbox, start_server
from tests.jobs.chain import environment_of, epochal, epochal_json
from tests.repositories import commit, git, make_repository

_PATIENCE_SECONDS = 240.0
_LEARNS = "epochs = 20\nprint(f'Test accuracy: {epochs / 40}')\n"
_LASTS = "import time\nepochs = 20\nprint('waiting', flush=True)\ntime.sleep(600)\n"
_TOML = "threshold = 0.7\n"

_SERVER = """\
runtime = "process"
chain = "jenkins"
[gateway]
port = 0
[jenkins]
url = "{url}"
user = "{user}"
prefix = "{prefix}"
label = "{label}"
variables = {{ EPOCHAL_HOME = "{home}", EPOCHAL_SCRIPTS = "{scripts}", EPOCHAL_PYTHON = "{python}"{bundle} }}
[mail]
host = "127.0.0.1"
port = {mail}
security = "none"
from = "epochal@example.com"
allowed_domains = ["example.com"]
[[repository]]
url = "{repository}"
"""


@dataclass(frozen=True)
class Jenkins:
    """A Jenkins to try the chain in: its address and login."""

    url: str
    user: str
    token: str

    @property
    def client(self) -> JenkinsClient:
        """The Jenkins as its user sees it."""
        return JenkinsClient(self.url, self.user, self.token)


def _genuine() -> Jenkins | None:
    url = os.environ.get("JENKINS_URL")
    if not url:
        return None
    token = Path(os.environ["JENKINS_TOKEN_FILE"]).read_text(encoding="utf-8").strip()
    return Jenkins(url, os.environ["JENKINS_USER"], token)


@pytest.fixture(params=["genuine"] if os.environ.get("JENKINS_URL") else ["all plugins", "no plugins"])
def jenkins(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Jenkins]:
    """The Jenkins of the environment, or a stand-in."""
    genuine = _genuine()
    if genuine:
        yield genuine
        return
    plugins = pinned_plugins() if request.param == "all plugins" else {}
    standin = StandIn(tmp_path / "jenkins", dict(plugins), {}).start()
    yield Jenkins(standin.url, USER, TOKEN)
    standin.kill()


@pytest.fixture
def open_folder(shared_cache: Path) -> Iterator[Path]:
    """A folder that Jenkins' processes may enter, too: pytest's own are closed to other users."""
    before = os.umask(0)
    with tempfile.TemporaryDirectory(prefix="epochal-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o777)
        (Path(name) / "home").mkdir()
        (Path(name) / "home/cache").symlink_to(shared_cache)
        yield Path(name)
    os.umask(before)


@contextmanager
def _git_daemon(folder: Path) -> Iterator[str]:
    """The repositories below ``folder`` by git's own protocol: Jenkins' git plugin refuses local paths."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["git", "daemon", "--export-all", f"--base-path={folder}", "--listen=127.0.0.1", f"--port={port}"]
    process = subprocess.Popen(
        [*command, "--reuseaddr", str(folder)], stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _until(lambda: _listens(port), "git daemon listens")
        yield f"git://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def _until(condition: Callable[[], Any], what: str) -> Any:
    """Ask again and again: nothing here tells by itself. Fails where it takes too long."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        threading.Event().wait(0.2)
    raise AssertionError(f"not within {_PATIENCE_SECONDS:g} s: {what}")


class Trial:
    """One try of the whole way: what it made in Jenkins, and what it is looked at with."""

    def __init__(self, jenkins: Jenkins, folder: Path, stack: ExitStack) -> None:
        self.client = jenkins.client
        self.library = python_jenkins.Jenkins(jenkins.url, jenkins.user, jenkins.token)
        self.home = folder / "home"
        self.origin = make_repository(folder / "git/digits", {"nn.py": _LEARNS, "epochal.toml": _TOML})
        self.prefix = f"epochal-test-{secrets.token_hex(3)}-"
        plugins = self.client.plugins()
        self.left_out = [plugin for plugin in OPTIONAL if plugin not in plugins]
        self.mails: Mails
        self.mails, mail = stack.enter_context(mailbox())
        address = stack.enter_context(_git_daemon(folder / "git"))
        self.url = f"{address}/digits"
        text = _SERVER.format(
            url=jenkins.url,
            user=jenkins.user,
            prefix=self.prefix,
            label=self._label(),
            home=self.home,
            scripts=resource("scripts"),
            python=sys.executable,
            mail=mail,
            bundle=f', EPOCHAL_CA_BUNDLE = "{bundle}"' if (bundle := os.environ.get("EPOCHAL_CA_BUNDLE")) else "",
            repository=self.url,
        )
        (self.home / "server.toml").write_text(text, encoding="utf-8")

    @property
    def settings(self) -> ServerSettings:
        """The home's settings."""
        return read_server_settings(environment_of(self.home))

    def _label(self) -> str:
        """The label of a node that is there for builds: its own name is one."""
        ready = [node for node in self.client.nodes() if not node["offline"] and node["numExecutors"] > 0]
        assert ready, "this Jenkins has no executor"
        return str(ready[0]["assignedLabels"][-1]["name"])

    def apply(self) -> list[str]:
        """epochal jenkins apply; what it told."""
        lines: list[str] = []
        provisioning.apply(self.client, self.settings, self.left_out, lines.append)
        return lines

    def push(self, gateway: str) -> float:
        """What GitHub sends when main was pushed to; returns when."""
        sha = git(self.origin, "rev-parse", "HEAD")
        event = push_event(self.origin, "0" * 40, sha, "refs/heads/main")
        assert isinstance(event["repository"], dict)
        event["repository"] |= dict.fromkeys(("html_url", "url", "clone_url", "git_url", "ssh_url"), self.url)
        secret = (self.home / "webhook-secret").read_text(encoding="ascii").strip().encode()
        pushed = time.time()
        assert "webhook: 20" in deliver(f"{gateway}/webhook", secret, event)
        return pushed

    def builds(self, job: str) -> list[dict[str, Any]]:
        """The builds of a job, newest first."""
        found = self.client.job(f"{self.prefix}{job}", builds=20)
        assert found is not None
        builds: list[dict[str, Any]] = found["builds"]
        return builds

    def finished(self, job: str, count: int) -> dict[str, Any]:
        """The newest build of a job that has ``count`` builds, once it is over and the gateway has labelled it."""

        def found() -> dict[str, Any] | None:
            builds = self.builds(job)
            over = len(builds) >= count and not builds[0]["building"] and builds[0]["description"]
            return builds[0] if over else None

        build = _until(found, f"build {count} of {job} is over and labelled")
        assert isinstance(build, dict)
        return build

    def state(self, run: int) -> str:
        """A run's state."""
        return str(epochal_json(self.home, "show", str(run))["state"])


@contextmanager
def _gateway(home: Path, token: str) -> Iterator[str]:
    """``epochal serve``, by its address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EPOCHAL_JENKINS_TOKEN", token)
        process = start_server(home)
    try:
        assert process.stdout
        yield process.stdout.readline().removeprefix("gateway: ").strip().removesuffix("/webhook")
    finally:
        process.terminate()
        process.wait(timeout=60)


def test_the_whole_way(jenkins: Jenkins, open_folder: Path) -> None:
    """Everything that a user of the chain in Jenkins relies on, once, in the order in which it happens."""
    with ExitStack() as stack:
        trial = Trial(jenkins, open_folder, stack)
        left_out = ", ".join(trial.left_out) or "nothing"
        print(f"\nJenkins {trial.client.version()} at {jenkins.url}; left out for want of plugins: {left_out}")
        # What a job's first environment costs is no part of what is tried here.
        epochal(trial.home, "run", str(trial.origin), "--runtime", "process", "--no-mail", "--threshold", "0.1")
        stack.callback(provisioning.delete, trial.client, trial.settings, print)
        assert trial.apply()[-1] == "4 changed"
        assert trial.apply()[-1].startswith("nothing to change")
        answers: list[str] = []
        check_all(trial.client, trial.settings, environment_of(trial.home), trial.left_out, answers.append)
        print(*answers, sep="\n")
        assert [
            line for line in answers if line.startswith(("proof", "jobs", "agent", "plugins")) and " yes " not in line
        ] == []
        with _gateway(trial.home, jenkins.token) as gateway:
            _reach_the_threshold(trial, gateway)
            _stop_and_cancel(trial, gateway)
        assert trial.apply()[-1].startswith("nothing to change")
    assert [trial.client.config("job", f"{trial.prefix}{job}") for job in ("pull", "train", "retrain")] == [None] * 3


def _reach_the_threshold(trial: Trial, gateway: str) -> None:
    pushed = trial.push(gateway)
    mail = trial.mails.get(timeout=_PATIENCE_SECONDS)
    assert mail["Subject"].startswith("Threshold Accuracy Reached!!! 0.750 of 0.70")
    pull, train, retrain = (trial.finished(job, 1) for job in ("pull", "train", "retrain"))
    assert [build["result"] for build in (pull, train, retrain)] == ["SUCCESS", "UNSTABLE", "SUCCESS"]
    assert retrain["displayName"] == "0.750 of 0.70 · 2 trials"
    assert train["displayName"] == "0.500 of 0.70 · 1 trial"
    _until(lambda: retrain["url"] in trial.builds("train")[0]["description"], "train is linked to its retrain")
    job = f"{trial.prefix}retrain"
    diff = trial.library.get_build_artifact_as_bytes(job, 1, "epochal-run/trial-2/change.diff")
    assert b"+epochs = 30" in diff
    log = trial.library.get_build_artifact_as_bytes(job, 1, "epochal-run/trial-2/train.log")
    assert log == b"Test accuracy: 0.75\n"
    console = trial.client.console(job, 1)
    assert "Traceback" not in console
    said = [line for line in console.splitlines() if "0.750 of 0.70 · 2 trials" in line]
    assert said, console
    _tell_timings(pushed, pull, train, retrain)


def _tell_timings(pushed: float, *builds: dict[str, Any]) -> None:
    starts = [build["timestamp"] / 1000 for build in builds]
    ends = [start + build["duration"] / 1000 for start, build in zip(starts, builds, strict=True)]
    print(f"push → pull started    {starts[0] - pushed:6.2f} s")
    print(f"pull → train started   {starts[1] - ends[0]:6.2f} s")
    print(f"train → retrain started{starts[2] - ends[1]:6.2f} s")
    print(f"push → retrain ended   {ends[2] - pushed:6.2f} s")


def _stop_and_cancel(trial: Trial, gateway: str) -> None:
    """A build that is stopped in Jenkins is a cancelled run; a cancelled run is a build that ends ABORTED."""
    first = int(epochal_json(trial.home, "history")[0]["run"])
    build = _start_a_long_one(trial, gateway, first + 1, 2)
    trial.client.stop_build(f"{trial.prefix}train", build)
    _expect_cancelled(trial, first + 1, 2)
    _start_a_long_one(trial, gateway, first + 2, 3)
    assert epochal(trial.home, "cancel", str(first + 2)).returncode == 0
    _expect_cancelled(trial, first + 2, 3)
    assert trial.mails.empty()
    assert len(trial.builds("retrain")) == 1


def _start_a_long_one(trial: Trial, gateway: str, run: int, count: int) -> int:
    """Push code that trains until it is stopped; the number of its build of train, which is the ``count``th."""
    commit(trial.origin, {"nn.py": f"# {run}\n{_LASTS}"}, f"Run {run} lasts")
    trial.push(gateway)
    _until(lambda: len(trial.builds("train")) == count, f"build {count} of train has begun")
    number = int(trial.builds("train")[0]["number"])
    job = f"{trial.prefix}train"
    _until(lambda: "training as pushed" in trial.client.console(job, number), f"build {number} of train trains")
    return number


def _expect_cancelled(trial: Trial, run: int, count: int) -> None:
    assert trial.finished("train", count)["result"] == "ABORTED"
    _until(lambda: trial.state(run) == "cancelled", f"run {run} is cancelled")
