"""Stand-ins for Python that fork from a process which has imported much already, and so save seconds at each start.

A warm Python is an executable. The process that it starts has the arguments, environment, folder, limits and output that
the executable was given, and gets its SIGHUP, SIGINT and SIGTERM. Command line and environment in /proc, umask and hash
seed are the server's. What a warm Python was not made for (``-c``, say) it hands to the real one.

A process dies a moment after the stand-in that was killed with SIGKILL. Use the real Python in a test that does so and
goes on at once.
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
"""Its job scripts use the same warm Python, and its trainings the warm one of their environment, if there is one."""

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
def forward(number, _):
    try:
        server.send(bytes([number]))
    except ConnectionError:
        pass  # the process has ended, and its status is on the way
socket.send_fds(server, [request.encode() + b"\\n"], [0, 1, 2])
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, forward)
status = int(server.recv(16))
if status < 0:
    if -status != signal.SIGKILL:
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
