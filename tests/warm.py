"""Pythons that have imported much already: a process of theirs is forked, seconds sooner than it would be there.

A warm Python is an executable that stands in for the real one. What it starts are processes like any other, with
arguments, environment, folder, limits, session and output of their own; a signal to it reaches them. Only their command
line in /proc is another. What it was not made for (``-c``, say) it hands to the real one.

If it is killed (SIGKILL), they are a moment later: a test that kills what it started, and goes on, starts the real one.
"""

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

_EPOCHAL = """
from pathlib import Path

import alembic.command
import jinja2
import optuna

import epochal.cli
import epochal.commands.history
import epochal.commands.job
import epochal.commands.run
import epochal.commands.serve
import epochal.commands.show
import epochal.jobs.pull
import epochal.jobs.retrain
import epochal.jobs.search.workers
import epochal.jobs.train
import epochal.messages.mail.compose
import epochal.results.extrapolation
from epochal.chains.job_scripts import JobScripts
from epochal.runtimes import process

variables, python_in = JobScripts.variables, process.python_in
JobScripts.variables = lambda *given: variables(*given) | {{"EPOCHAL_PYTHON": "{python}"}}

def warm_in(environment):
    python = Path("{folder}", environment.name)
    return str(python) if python.exists() else python_in(environment)

process.python_in = warm_in
"""
"""The job scripts that it starts get the same Python, a training that of its environment, if it is warm."""

_TRAINING = """
import sys

import numpy
import pandas
import scipy.linalg
import scipy.optimize
import scipy.sparse.linalg
import scipy.stats

sys.modules["keras.src"] = None  # TensorFlow ends by importing Keras, and takes it as it comes if that fails
import tensorflow

for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
    del sys.modules[name]
"""
"""TensorFlow without Keras, and without scikit-learn: the recorder observes the import of these, by the script."""

_CLIENT = """#!{own} -IS
import json, os, resource, signal, socket, sys
if not ({condition}):
    os.execv("{python}", ["{python}", *sys.argv[1:]])
server = socket.socket(socket.AF_UNIX)
server.connect("{address}")
limits = {{name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")}}
request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ), limits])
forwarded = signal.SIGHUP, signal.SIGINT, signal.SIGTERM
for number in forwarded:
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, lambda number, _: server.send(bytes([number])))
socket.send_fds(server, [request.encode() + b"\\n"], [0, 1, 2])
status = int(server.recv(16))
if status < 0:
    if -status in forwarded:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
os._exit(status)
"""


@cache
def _folder() -> Path:
    """Where all of them are; the servers remove it when they end."""
    return Path(tempfile.mkdtemp(prefix="warm-"))


@cache
def warm_epochal() -> Path:
    """A Python that has imported Epochal, for ``-m epochal``; if PYTHONPATH is set, the real one starts instead."""
    path = _folder() / "python"
    preparation = _EPOCHAL.format(python=path, folder=_folder())
    return _start(
        Path(sys.executable), path, preparation, 'sys.argv[1:3] == ["-m", "epochal"] and "PYTHONPATH" not in os.environ'
    )


@cache
def warm_training(environment: Path) -> Path:
    """A Python for scripts that has imported TensorFlow, which ``environment`` has."""
    python = environment / "bin" / "python"
    return _start(python, _folder() / environment.name, _TRAINING, 'not sys.argv[1].startswith("-")')


def _start(python: Path, path: Path, preparation: str, condition: str) -> Path:
    address = path.with_suffix(".socket")
    server = subprocess.Popen(
        [python, Path(__file__).with_name("warm_server.py"), address, preparation],
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert server.stdout
    assert server.stdout.readline() == b"ready\n"
    _SERVERS.append(server)
    path.write_text(
        _CLIENT.format(own=sys.executable, condition=condition, python=python, address=address), encoding="utf-8"
    )
    path.chmod(0o700)
    return path


_SERVERS: list["subprocess.Popen[bytes]"] = []
"""Kept open: a server ends when its standard input does."""
