"""Executables that behave like Python but fork from a process that has done the slow imports, to start faster.

A warm Python is an executable. The process that it starts gets the executable's arguments, environment, working folder,
resource limits and output, and its SIGHUP, SIGINT and SIGTERM. Command line and environment in /proc, umask and hash
seed are the server's. A call that it does not support (with ``-c``, for example) runs the real Python instead.

If the executable is killed with SIGKILL, its process dies a moment later. A test that cannot wait for that has to use
the real Python.
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
JobScripts.variables = lambda *arguments: variables(*arguments) | {{"EPOCHAL_PYTHON": "{python}"}}

def find_warm_python(environment):
    python = Path("{folder}", environment.name)
    return str(python) if python.exists() else python_in(environment)

process.python_in = find_warm_python
"""
"""Job scripts use this warm Python, too; training scripts use that of their environment, if it has one."""

_TRAINING = """
import sys

import numpy
import pandas
import scipy.linalg
import scipy.optimize
import scipy.sparse.linalg
import scipy.stats

sys.modules["keras.src"] = None  # TensorFlow imports Keras last, and tolerates that it fails
import tensorflow

for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
    del sys.modules[name]
"""
"""Imports neither Keras nor scikit-learn, because the recorder observes how the script imports them."""

_CLIENT = """#!{interpreter} -IS
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
        pass  # the process has ended, and its status will arrive
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
def _make_folder() -> Path:
    """Create the folder of all warm Pythons; their servers remove it when they end."""
    return Path(tempfile.mkdtemp(prefix="warm-"))


@cache
def warm_epochal() -> Path:
    """Return a Python that has imported Epochal, for ``-m epochal``.

    If PYTHONPATH is set, it runs the real Python instead.
    """
    path = _make_folder() / "python"
    preparation = _EPOCHAL.format(python=path, folder=_make_folder())
    return _start_server(
        Path(sys.executable), path, preparation, 'sys.argv[1:3] == ["-m", "epochal"] and "PYTHONPATH" not in os.environ'
    )


@cache
def warm_training(environment: Path) -> Path:
    """Return a Python for training scripts that has imported TensorFlow from ``environment``."""
    python = environment / "bin" / "python"
    return _start_server(python, _make_folder() / environment.name, _TRAINING, 'not sys.argv[1].startswith("-")')


def _start_server(python: Path, path: Path, preparation: str, condition: str) -> Path:
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
        _CLIENT.format(interpreter=sys.executable, condition=condition, python=python, address=address),
        encoding="utf-8",
    )
    path.chmod(0o700)
    return path


_SERVERS: list["subprocess.Popen[bytes]"] = []
"""The servers, kept here so that their standard input stays open: a server ends when it is closed."""
