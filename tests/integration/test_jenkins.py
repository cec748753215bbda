"""The whole chain in one Jenkins: apply, push, pull → train (UNSTABLE) → retrain (SUCCESS), mail, stop, cancel, delete.

make test-jenkins JENKINS_URL=… JENKINS_USER=… JENKINS_TOKEN_FILE=… runs this test against a genuine Jenkins. It needs
an executor on this machine that runs as the same user, but no plugins: the test prints those that the jobs do without.
If these variables are not set, the test uses the stand-in, once with all plugins and once with none.
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
from epochal.chains.jenkins.definitions import OPTIONAL_PLUGINS
from epochal.chains.jenkins.plugins import pinned_plugins
from epochal.demo.github import deliver, push_event
from epochal.folders import resource
from epochal.settings import ServerSettings, read_server_settings
from tests.chains.jenkins.standin import TOKEN, USER, StandIn
from tests.integration.served import Mails, mailbox, start_server
from tests.jobs.chain import environment_of, epochal, epochal_json
from tests.repositories import commit, git, make_repository

_TIMEOUT_SECONDS = 240.0
_IMPROVING_SCRIPT = "epochs = 20\nprint(f'Test accuracy: {epochs / 40}')\n"
_LONG_SCRIPT = "import time\nepochs = 20\nprint('waiting', flush=True)\ntime.sleep(600)\n"
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
    """The address and login of the Jenkins under test."""

    url: str
    user: str
    token: str

    @property
    def client(self) -> JenkinsClient:
        """A client that signs in with this login."""
        return JenkinsClient(self.url, self.user, self.token)


def _read_genuine_jenkins() -> Jenkins | None:
    url = os.environ.get("JENKINS_URL")
    if not url:
        return None
    token = Path(os.environ["JENKINS_TOKEN_FILE"]).read_text(encoding="utf-8").strip()
    return Jenkins(url, os.environ["JENKINS_USER"], token)


@pytest.fixture(params=["genuine"] if os.environ.get("JENKINS_URL") else ["all plugins", "no plugins"])
def jenkins(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Jenkins]:
    """Yield the Jenkins that the environment names, or else a running stand-in."""
    genuine = _read_genuine_jenkins()
    if genuine:
        yield genuine
        return
    plugins = pinned_plugins() if request.param == "all plugins" else {}
    standin = StandIn(tmp_path / "jenkins", dict(plugins), {}).start()
    yield Jenkins(standin.url, USER, TOKEN)
    standin.kill()


@pytest.fixture
def open_folder(shared_cache: Path) -> Iterator[Path]:
    """Create a folder that Jenkins' processes may enter; pytest's temporary folders are closed to other users."""
    before = os.umask(0)
    with tempfile.TemporaryDirectory(prefix="epochal-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o777)
        (Path(name) / "home").mkdir()
        (Path(name) / "home/cache").symlink_to(shared_cache)
        yield Path(name)
    os.umask(before)


@contextmanager
def _git_daemon(folder: Path) -> Iterator[str]:
    """Serve the repositories in ``folder`` over the git protocol, because Jenkins' git plugin refuses local paths."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["git", "daemon", "--export-all", f"--base-path={folder}", "--listen=127.0.0.1", f"--port={port}"]
    process = subprocess.Popen(
        [*command, "--reuseaddr", str(folder)], stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_until(lambda: _is_listening(port), "git daemon listens")
        yield f"git://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def _is_listening(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def _wait_until(condition: Callable[[], Any], what: str) -> Any:
    """Poll ``condition``, since Jenkins sends no events, and return its first true value. Fail after a time limit."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        threading.Event().wait(0.2)
    raise AssertionError(f"not within {_TIMEOUT_SECONDS:g} s: {what}")


class Setup:
    """A home, a repository and a mailbox for the test, and access to the jobs that it creates in Jenkins."""

    def __init__(self, jenkins: Jenkins, folder: Path, stack: ExitStack) -> None:
        self.client = jenkins.client
        self.library = python_jenkins.Jenkins(jenkins.url, jenkins.user, jenkins.token)
        self.home = folder / "home"
        self.origin = make_repository(folder / "git/digits", {"nn.py": _IMPROVING_SCRIPT, "epochal.toml": _TOML})
        self.prefix = f"epochal-test-{secrets.token_hex(3)}-"
        plugins = self.client.plugins()
        self.without = [plugin for plugin in OPTIONAL_PLUGINS if plugin not in plugins]
        self.mails: Mails
        self.mails, mail = stack.enter_context(mailbox())
        address = stack.enter_context(_git_daemon(folder / "git"))
        self.url = f"{address}/digits"
        text = _SERVER.format(
            url=jenkins.url,
            user=jenkins.user,
            prefix=self.prefix,
            label=self._find_label(),
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
        """The server settings in the home."""
        return read_server_settings(environment_of(self.home))

    def _find_label(self) -> str:
        """Return a label of a node that has an executor."""
        ready = [node for node in self.client.nodes() if not node["offline"] and node["numExecutors"] > 0]
        assert ready, "this Jenkins has no executor"
        return str(ready[0]["assignedLabels"][-1]["name"])

    def apply(self) -> list[str]:
        """Do what ``epochal jenkins apply`` does, and return the lines that it logs."""
        lines: list[str] = []
        provisioning.apply(self.client, self.settings, self.without, lines.append)
        return lines

    def push(self, gateway: str) -> float:
        """Deliver the webhook for a push to main, as GitHub does, and return the time just before the delivery."""
        sha = git(self.origin, "rev-parse", "HEAD")
        event = push_event(self.origin, "0" * 40, sha, "refs/heads/main")
        assert isinstance(event["repository"], dict)
        event["repository"] |= dict.fromkeys(("html_url", "url", "clone_url", "git_url", "ssh_url"), self.url)
        secret = (self.home / "webhook-secret").read_text(encoding="ascii").strip().encode()
        pushed = time.time()
        assert "webhook: 20" in deliver(f"{gateway}/webhook", secret, event)
        return pushed

    def builds(self, job: str) -> list[dict[str, Any]]:
        """Return the builds of a job, newest first."""
        answer = self.client.job(f"{self.prefix}{job}", builds=20)
        assert answer is not None
        builds: list[dict[str, Any]] = answer["builds"]
        return builds

    def wait_for_finished_build(self, job: str, count: int) -> dict[str, Any]:
        """Wait until a job has ``count`` builds and the gateway has labelled the newest, and return that build."""

        def find() -> dict[str, Any] | None:
            builds = self.builds(job)
            is_finished = len(builds) >= count and not builds[0]["building"] and builds[0]["description"]
            return builds[0] if is_finished else None

        build = _wait_until(find, f"build {count} of {job} is over and labelled")
        assert isinstance(build, dict)
        return build

    def state(self, run: int) -> str:
        """Return the state of a run."""
        return str(epochal_json(self.home, "show", str(run))["state"])


@contextmanager
def _gateway(home: Path, token: str) -> Iterator[str]:
    """Run ``epochal serve`` and yield its address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EPOCHAL_JENKINS_TOKEN", token)
        process = start_server(home)
    try:
        assert process.stdout
        yield process.stdout.readline().removeprefix("gateway: ").strip().removesuffix("/webhook")
    finally:
        process.terminate()
        process.wait(timeout=60)


def test_jenkins_chain_from_apply_to_delete(jenkins: Jenkins, open_folder: Path) -> None:
    """Everything that users of the Jenkins chain rely on works, in the order in which they need it."""
    with ExitStack() as stack:
        setup = Setup(jenkins, open_folder, stack)
        without = ", ".join(setup.without) or "nothing"
        print(f"\nJenkins {setup.client.version()} at {jenkins.url}; left out for want of plugins: {without}")
        # Create the training environment now, so that the timings do not include it.
        epochal(setup.home, "run", str(setup.origin), "--runtime", "process", "--no-mail", "--threshold", "0.1")
        stack.callback(provisioning.delete, setup.client, setup.settings, print)
        assert setup.apply()[-1] == "4 changed"
        assert setup.apply()[-1].startswith("nothing to change")
        answers: list[str] = []
        check_all(setup.client, setup.settings, environment_of(setup.home), setup.without, answers.append)
        print(*answers, sep="\n")
        assert [
            line for line in answers if line.startswith(("proof", "jobs", "agent", "plugins")) and " yes " not in line
        ] == []
        with _gateway(setup.home, jenkins.token) as gateway:
            _expect_reached_threshold(setup, gateway)
            _stop_and_cancel(setup, gateway)
        assert setup.apply()[-1].startswith("nothing to change")
    assert [setup.client.config("job", f"{setup.prefix}{job}") for job in ("pull", "train", "retrain")] == [None] * 3


def _expect_reached_threshold(setup: Setup, gateway: str) -> None:
    pushed = setup.push(gateway)
    mail = setup.mails.get(timeout=_TIMEOUT_SECONDS)
    assert mail["Subject"].startswith("Threshold Accuracy Reached!!! 0.750 (threshold 0.70)")
    pull, train, retrain = (setup.wait_for_finished_build(job, 1) for job in ("pull", "train", "retrain"))
    assert [build["result"] for build in (pull, train, retrain)] == ["SUCCESS", "UNSTABLE", "SUCCESS"]
    assert retrain["displayName"] == "0.750 (threshold 0.70) · 2 trials"
    assert train["displayName"] == "0.500 (threshold 0.70) · 1 trial"
    _wait_until(lambda: retrain["url"] in setup.builds("train")[0]["description"], "train is linked to its retrain")
    job = f"{setup.prefix}retrain"
    diff = setup.library.get_build_artifact_as_bytes(job, 1, "epochal-run/trial-2/change.diff")
    assert b"+epochs = 30" in diff
    log = setup.library.get_build_artifact_as_bytes(job, 1, "epochal-run/trial-2/train.log")
    assert log == b"Test accuracy: 0.75\n"
    console = setup.client.console(job, 1)
    assert "Traceback" not in console
    summaries = [line for line in console.splitlines() if "0.750 (threshold 0.70) · 2 trials" in line]
    assert summaries, console
    _print_timings(pushed, pull, train, retrain)


def _print_timings(pushed: float, *builds: dict[str, Any]) -> None:
    starts = [build["timestamp"] / 1000 for build in builds]
    ends = [start + build["duration"] / 1000 for start, build in zip(starts, builds, strict=True)]
    print(f"push → pull started    {starts[0] - pushed:6.2f} s")
    print(f"pull → train started   {starts[1] - ends[0]:6.2f} s")
    print(f"train → retrain started{starts[2] - ends[1]:6.2f} s")
    print(f"push → retrain ended   {ends[2] - pushed:6.2f} s")


def _stop_and_cancel(setup: Setup, gateway: str) -> None:
    """Check that stopping a build in Jenkins cancels its run, and that cancelling a run ends its build as ABORTED."""
    first = int(epochal_json(setup.home, "history")[0]["run"])
    build = _start_long_build(setup, gateway, first + 1, 2)
    setup.client.stop_build(f"{setup.prefix}train", build)
    _expect_cancelled(setup, first + 1, 2)
    _start_long_build(setup, gateway, first + 2, 3)
    assert epochal(setup.home, "cancel", str(first + 2)).returncode == 0
    _expect_cancelled(setup, first + 2, 3)
    assert setup.mails.empty()
    assert len(setup.builds("retrain")) == 1


def _start_long_build(setup: Setup, gateway: str, run: int, count: int) -> int:
    """Push a script that runs until it is stopped, wait for train's ``count``th build, and return its number."""
    commit(setup.origin, {"nn.py": f"# {run}\n{_LONG_SCRIPT}"}, f"Run {run} lasts")
    setup.push(gateway)
    _wait_until(lambda: len(setup.builds("train")) == count, f"build {count} of train has begun")
    number = int(setup.builds("train")[0]["number"])
    job = f"{setup.prefix}train"
    _wait_until(lambda: "training as pushed" in setup.client.console(job, number), f"build {number} of train trains")
    return number


def _expect_cancelled(setup: Setup, run: int, count: int) -> None:
    assert setup.wait_for_finished_build("train", count)["result"] == "ABORTED"
    _wait_until(lambda: setup.state(run) == "cancelled", f"run {run} is cancelled")
