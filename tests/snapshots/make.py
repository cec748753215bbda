"""Store the output of one run per outcome, so that a diff shows every word that a change alters.

Usage: python -m tests.snapshots.make [FOLDER]

Writes to the new folder FOLDER, or replaces tests/snapshots/stored. Uses only the public interfaces: the job scripts, the
``epochal`` command, the mail server and Jenkins' REST interface.
"""

import email.policy
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.chains.jenkins.standin import TOKEN, USER, StandIn
from tests.messages.servers import Inbox, mail_server
from tests.repositories import commit, git, make_repository
from tests.snapshots.scripts import CONFIDENCE, CURVE, FAILS, REACHES, RISING_CURVE, SEARCH, UNCERTAIN, WAITS
from tests.warm import warm_epochal

STORED = Path(__file__).with_name("stored")
"""Folder of the committed snapshot."""
_ROOT = Path(__file__).parents[2]
_FOREIGN_VARIABLES = re.compile(r"EPOCHAL_(?!CA_BUNDLE)|BUILD_")
"""Environment variables that would change the runs if Epochal or Jenkins set them for this process."""
_NEXT_JOB_IF = {"pull": 0, "train": 3}
"""Exit status of each job after which the next job runs."""

_SERVER = """\
supersede = "running"
[limits]
trials = 1
[mail]
host = "127.0.0.1"
port = {port}
security = "none"
allowed_domains = ["example.com"]
[jenkins]
url = "{jenkins}"
user = "{user}"
variables = {{ EPOCHAL_HOME = "/srv/epochal" }}
[[repository]]
url = "https://github.com/ada/digits.git"
jenkins_credentials = "deploy-key"
"""

_MASKS = (
    # epochal history: time of the run.
    (r"(?m)^( *\d+  )\d{4}-\d\d-\d\d \d\d:\d\d(?=  )", r"\1<TIME>"),
    # epochal show, as text and as JSON: duration of a trial, digest of its environment. --timeline: two durations.
    (r"(?m)^(trial \d:.* )\d+\.\d(?= s(,|$))", r"\1<SECONDS>"),
    (r'(?<="seconds": )[\d.e-]+', '"<SECONDS>"'),
    (r"(?<=/environments/python-)[0-9a-f]+", "<DIGEST>"),
    (r"(?m) +\d+\.\d\d +\d+\.\d\d$", "  <SECONDS>  <SECONDS>"),
    # Mail: date, Message-ID, duration of the run, duration of each trial in the plain and the HTML table.
    (r"(?m)(?<=^Date: ).+", "<TIME>"),
    (r"(?m)(?<=^Message-ID: <)\d+\.\d+\.\d+(?=\.run-)", "<UNIQUE>"),
    (r"\b\d+\.\d(?= minutes)", "<MINUTES>"),
    (r"(?m)^( *\d+ +\S+ +[\d.-]+ {2,})\d+\.\d(?=  )", r"\1<SECONDS>"),
    (r"(?<=>)\d+\.\d(?=</td>)", "<SECONDS>"),
)
"""Patterns of values that differ each time, with their placeholders. Paths and commits are replaced by value."""


class _Recorder:
    """A recorder that runs jobs and commands in one home and keeps their output."""

    def __init__(self, folder: Path, inbox: Inbox) -> None:
        self.texts: dict[str, str] = {}
        self.started = folder / "started"
        self._folder = folder
        self._inbox = inbox
        self._printing: dict[str, subprocess.Popen[str]] = {}
        self._masks = {f"{folder}/home": "<HOME>", str(folder): "<FOLDER>"}

    def run(
        self,
        name: str,
        files: dict[str, str | bytes],
        repository: str = "",
        jobs: Sequence[str] = ("pull", "train", "retrain"),
        meanwhile: Callable[[], object] | None = None,
    ) -> None:
        """Commit *files* to *repository* (by default a new one called *name*) and record the run of this commit.

        Calls *meanwhile* once the training script has written to the pipe ``started``.
        """
        code, workspace = self._folder / "repositories" / (repository or name), self._folder / "workspaces" / name
        # Equal files committed in the same second would give two runs the same commit, but commits are masked by run number.
        files = {"README.md": f"{name}\n", **files}
        commit(code, files, "Improve the model") if code.exists() else make_repository(code, files)
        workspace.mkdir(parents=True)
        sha = git(code, "rev-parse", "HEAD")
        variables = {"GIT_URL": str(code), "GIT_COMMIT": sha, "EPOCHAL_BRANCH": "main", "WORKSPACE": str(workspace)}
        statuses = ""
        for job in jobs:
            variables["BUILD_URL"] = f"http://jenkins.example.com/job/{job}/1/"
            with self._start([str(_ROOT / "scripts" / f"{job}.sh")], workspace, variables) as process:
                if meanwhile and job == "train":
                    pipe = os.open(self.started, os.O_RDONLY | os.O_NONBLOCK)
                    assert select.select([pipe], [], [], 60)[0], "the training did not start within a minute"
                    os.close(pipe)
                    meanwhile()
                self.texts[f"{name}/{job}.txt"] = process.communicate()[0]
            statuses += f"{job} {process.returncode}\n"
            if job == "pull":
                assert process.returncode == 0, self.texts[f"{name}/{job}.txt"]
                variables["EPOCHAL_RUN"] = (workspace / "epochal.properties").read_text().strip().partition("=")[2]
            if process.returncode != _NEXT_JOB_IF.get(job):
                break
        number = variables["EPOCHAL_RUN"]
        self._masks |= {sha: f"<SHA{number}>", sha[:7]: f"<SHORT_SHA{number}>"}
        self.texts[f"{name}/statuses.txt"] = statuses
        self.record(f"{name}/show.txt", "show", number)
        self.record(f"{name}/show.json", "show", number, "--json")
        for envelope in self._inbox.envelopes:
            self.texts[f"{name}/mail.txt"] = _format_mail(envelope)
        self._inbox.envelopes.clear()

    def record(self, name: str, *arguments: str) -> None:
        """Run an ``epochal`` command in the background, and record its output as *name*."""
        self._printing[name] = self._start([str(warm_epochal()), "-m", "epochal", *arguments], self._folder, {})

    def make_environment(self, cache: Path) -> None:
        """Train once in another home, so that the progress of making the training environment is not recorded."""
        home = self._folder / "other"
        code = make_repository(home / "code")
        (home / "cache").symlink_to(cache)
        command = [str(warm_epochal()), "-m", "epochal", "run", str(code), "--no-mail"]
        self._start(command, self._folder, {"EPOCHAL_HOME": str(home)}).communicate()

    def finish(self) -> dict[str, str]:
        """Return the recorded texts by file name, with placeholders for values that differ each time."""
        for name, process in self._printing.items():
            printed = process.communicate()[0]
            self.texts[name] = _format_json(printed) if name.endswith(".json") else printed
        return {name: self._mask(text) for name, text in self.texts.items()}

    def _mask(self, text: str) -> str:
        for value, placeholder in self._masks.items():
            text = text.replace(value, placeholder)
        for pattern, placeholder in _MASKS:
            text = re.sub(pattern, placeholder, text)
        return text

    def _start(self, command: Sequence[str], folder: Path, variables: dict[str, str]) -> "subprocess.Popen[str]":
        inherited = {name: value for name, value in os.environ.items() if not _FOREIGN_VARIABLES.match(name)}
        fixed = {
            "EPOCHAL_HOME": str(self._folder / "home"),
            "EPOCHAL_RUNTIME": "process",
            "EPOCHAL_PYTHON": str(warm_epochal()),
            "EPOCHAL_JENKINS_TOKEN": TOKEN,
            "COLUMNS": "200",
        }
        return subprocess.Popen(
            command,
            cwd=folder,
            env=inherited | fixed | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )


def make(cache: Path) -> dict[str, str]:
    """Return the output of all runs by file name. Training environments are kept in *cache*."""
    inbox = Inbox()
    with tempfile.TemporaryDirectory() as name, mail_server(inbox) as port, _serve_jenkins(Path(name)) as jenkins:
        folder = Path(name).resolve()
        (folder / "home" / "cache").mkdir(parents=True)
        # Share the environments but not their locks, because a job prints a line if it has to wait for a lock.
        (folder / "home" / "cache" / "environments").symlink_to(cache / "environments")
        (folder / "home" / "server.toml").write_text(_SERVER.format(port=port, jenkins=jenkins.url, user=USER))
        recorder = _Recorder(folder, inbox)
        recorder.record("jenkins/apply.txt", "jenkins", "apply")
        recorder.make_environment(cache)
        _record_runs(recorder)
        recorder.record("searched/timeline.txt", "show", "6", "--timeline")
        recorder.record("history.txt", "history")
        recorder.record("history.json", "history", "--json")
        texts = recorder.finish()
        return texts | {f"jenkins/{name}.xml": f"{xml}\n" for name, xml in (jenkins.jobs | jenkins.views).items()}


def _record_runs(recorder: _Recorder) -> None:
    recorder.run("reached", {"nn.py": REACHES})
    recorder.run("retrained", {"nn.py": RISING_CURVE})
    recorder.run("exhausted", {"nn.py": UNCERTAIN, "epochal.toml": CONFIDENCE})
    recorder.run("failed", {"nn.py": FAILS})
    recorder.run("reused", {"README.md": "Digits.\n"}, "retrained")
    recorder.run("searched", {"nn.py": CURVE, "epochal.toml": SEARCH})
    os.mkfifo(recorder.started)
    waits: dict[str, str | bytes] = {"nn.py": WAITS.format(started=str(recorder.started))}
    recorder.run("cancelled", waits, meanwhile=partial(recorder.record, "cancelled/cancel.txt", "cancel", "7"))
    supersede = partial(recorder.run, "superseding", {"nn.py": REACHES}, "superseded", jobs=["pull"])
    recorder.run("superseded", waits, meanwhile=supersede)


@contextmanager
def _serve_jenkins(folder: Path) -> Iterator[StandIn]:
    lines = (_ROOT / "jenkins" / "plugins.txt").read_text().splitlines()
    plugins = dict(line.split(":") for line in lines if not line.startswith("#"))
    standin = StandIn(folder / "jenkins", plugins, {}).start()
    try:
        yield standin
    finally:
        standin.kill()


def _format_json(printed: str) -> str:
    """Format JSON with sorted keys and six significant digits; further digits of a forecast depend on the machine."""
    try:
        value = json.loads(printed, parse_float=lambda text: float(f"{float(text):.6g}"))
    except ValueError:
        return printed  # an error message, which the diff shows
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _format_mail(envelope: Any) -> str:
    """Format an email: the recipients, then the headers and decoded content of each part."""
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    lines = [f"{envelope.mail_from} to {', '.join(envelope.rcpt_tos)}"]
    for part in message.walk():
        lines += ["", *(f"{name}: {value}" for name, value in part.items())]
        if not part.is_multipart():
            lines += ["", part.get_content().rstrip("\n")]
    return "\n".join(lines) + "\n"


def store(texts: dict[str, str], folder: Path) -> None:
    """Write *texts* to *folder*. Raises FileExistsError if it exists, unless it is the committed snapshot."""
    if folder == STORED:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        recorded = make(Path(os.environ.get("TEST_CACHE_FOLDER", temporary)).absolute())
    store(recorded, Path(sys.argv[1]) if sys.argv[1:] else STORED)
