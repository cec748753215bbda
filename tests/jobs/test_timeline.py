"""The timeline of a run, which the jobs record and ``epochal show --timeline`` prints."""

import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.chain import drive, epochal, epochal_json, store_push, stored_run
from tests.messages.servers import Inbox, mail_server
from tests.repositories import git, make_repository

# Reaches 0.7 with 30 epochs, and writes what the recorder would, but with an impossible start time of Python, in 1970.
_SCRIPT = """\
import json, os, time
epochs = 20
with open(os.environ["EPOCHAL_OUT"] + "/metrics.jsonl", "w") as file:
    for event in (
        {"event": "keras", "started": 1.5, "time": time.time()},
        {"event": "fit", "model": 1, "call": 1, "time": time.time()},
        {"event": "epoch", "model": 1, "call": 1, "epoch": epochs, "epochs": epochs, "metrics": {}, "seconds": 0},
        {"event": "fitted", "model": 1, "call": 1, "epoch": 1, "time": time.time()},
    ):
        print(json.dumps(event), file=file)
print(f"Test accuracy: {epochs / 40}")
"""
_SETTINGS = """\
[mail]
host = "127.0.0.1"
port = {port}
security = "none"
from = "epochal@example.com"
to = ["ada@example.com"]
"""
_TRIAL = [
    "training started",
    "framework imported",
    "fit began",
    "first epoch ended",
    "fit ended",
    "training ended",
    "verdict",
]


def _read_timeline(home: Path) -> list[dict[str, Any]]:
    shown = epochal_json(home, "show", "1", "--timeline")
    assert shown["run"] == 1
    moments: list[dict[str, Any]] = shown["timeline"]
    return moments


def test_timeline_covers_a_run_from_commit_to_mail(home: Path, tmp_path: Path) -> None:
    """As JSON and as a table, the timeline lists all moments in order, from commit to email."""
    repository = make_repository(tmp_path / "digits", {"nn.py": _SCRIPT, "epochal.toml": "threshold = 0.7\n"})
    with mail_server(Inbox()) as port:
        (home / "server.toml").write_text(_SETTINGS.format(port=port), encoding="utf-8")
        assert drive(home, store_push(home, repository, ("1", "push"))).status == 0
    moments = _read_timeline(home)
    assert [(moment["moment"], moment["trial"]) for moment in moments] == [
        *((name, None) for name in ("commit", "webhook received", "run stored", "pull job started", "pull job ended")),
        *((name, None) for name in ("train job started", "environment ready")),
        *((name, 1) for name in _TRIAL),
        *((name, None) for name in ("train job ended", "retrain job started", "environment ready")),
        *((name, 2) for name in _TRIAL),
        *((name, None) for name in ("run ended", "mail sent")),
    ]
    committed = datetime.fromisoformat(moments[0]["at"])
    assert committed.timestamp() == int(git(repository, "show", "-s", "--format=%ct"))
    for moment in moments:
        assert moment["since_first"] == (datetime.fromisoformat(moment["at"]) - committed).total_seconds()
    assert sum(moment["since_before"] for moment in moments) == pytest.approx(moments[-1]["since_first"])
    heading, *rows = epochal(home, "show", "1", "--timeline").stdout.splitlines()
    assert heading.split() == ["moment", "trial", "seconds", "since", "previous"]
    for row, moment in zip(rows, moments, strict=True):
        seconds = [f"{moment['since_first']:.2f}", f"{moment['since_before']:.2f}"]
        trial = [str(moment["trial"])] if moment["trial"] else []
        assert row.split() == [*moment["moment"].split(), *trial, *seconds]


def test_timeline_during_a_training_and_after_resuming(home: Path, tmp_path: Path) -> None:
    """During a trial, the last moment is its start. After the run is resumed, the train job has started twice."""
    started, again = tmp_path / "started", tmp_path / "again"
    os.mkfifo(started)
    waiting = f"import os, time\nif not os.path.exists({str(again)!r}):\n"
    waiting += f"    open({str(started)!r}, 'w').close()\n    time.sleep(600)\n"
    repository = make_repository(tmp_path / "digits", {"nn.py": waiting + "print('Test accuracy: 0.9')\n"})
    run = store_push(home, repository)
    variables = {"EPOCHAL_HOME": str(home), "EPOCHAL_RUN": str(run.id), "EPOCHAL_RUNTIME": "process"}
    command = [sys.executable, "-m", "epochal", "job"]
    subprocess.run([*command, "pull"], env=os.environ | variables, check=True)
    process = subprocess.Popen([*command, "train"], env=os.environ | variables)
    started.read_text()  # blocks until the script has opened the pipe
    last = _read_timeline(home)[-1]
    assert (last["moment"], last["trial"]) == ("training started", 1)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 128 + signal.SIGTERM
    again.touch()
    drive(home, stored_run(home, run.id))
    moments = [(moment["moment"], moment["trial"]) for moment in _read_timeline(home)]
    assert moments[moments.index(("pull job ended", None)) + 1 :] == [
        ("train job started", None),
        ("environment ready", None),
        ("training started", 1),
        ("train job started", None),
        ("environment ready", None),
        ("training started", 2),
        ("training ended", 2),
        ("verdict", 2),
        ("run ended", None),
    ]
