"""The process that a warm Python forks from (see ``warm``): argv[1] is its socket, argv[2] the code to execute first.

It ends, and removes its folder, when its standard input is closed, which happens when the process that started it ends.
"""

import gc
import json
import os
import resource
import runpy
import select
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any


def serve(address: str, preparation: str) -> list[Any]:
    """Execute ``preparation``, then fork for each request. Return the request in the process that will run it."""
    exec(preparation, {})
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    os.write(sys.stdout.fileno(), b"ready\n")
    while True:
        ready, _, _ = select.select([listening, sys.stdin], [], [])
        if sys.stdin in ready:
            shutil.rmtree(Path(address).parent, ignore_errors=True)
            os._exit(0)
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return fork_again(connection)
        connection.close()


def fork_again(connection: socket.socket) -> list[Any]:
    """Fork the process that will run the request, and return the request in that process.

    The parent waits for it, forwards the client's signals to it, and returns its exit status to the client. If the
    client is killed, the parent kills the process and its group.
    """
    received, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    while not received.endswith(b"\n"):
        more = connection.recv(1 << 20)
        if not more:
            os._exit(1)  # the client was killed before it had sent the whole request
        received += more
    process = os.fork()
    if process == 0:
        os.setsid()
        connection.close()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        request: list[Any] = json.loads(received)
        return request
    for number in (0, 1, 2, *descriptors):
        os.close(number)
    pidfd = os.pidfd_open(process)
    while pidfd not in select.select([pidfd, connection.fileno()], [], [])[0]:
        signals = connection.recv(16)
        for number in signals:
            os.kill(process, number)
        if not signals:
            os.kill(process, signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
            os._exit(0)
    _, status = os.waitpid(process, 0)
    connection.send(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def become(arguments: list[str], folder: str, environment: dict[str, str], limits: dict[str, tuple[int, int]]) -> None:
    """Apply arguments, folder, environment and limits, as if Python had been started with them."""
    for name, values in limits.items():
        resource.setrlimit(getattr(resource, name), values)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # the server's environment may name another one
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # as importing it does; Python seeds its own generator after a fork
    sys.argv = arguments
    sys.path[:1] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.modules.pop("sitecustomize", None)
    with suppress(ImportError):
        import_module("sitecustomize")


def run(script: str) -> None:
    """Run ``script`` as the main module. Tracebacks leave out this function."""
    sys.path.insert(0, str(Path(script).absolute().parent))
    sys.modules["__main__"] = main = ModuleType("__main__")
    main.__file__ = script
    try:
        exec(compile(Path(script).read_bytes(), script, "exec"), main.__dict__)
    except Exception as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        sys.last_value = error  # as Python does for the main module
        sys.excepthook(type(error), error, error.__traceback__)
        sys.exit(1)


if __name__ == "__main__":
    become(*serve(*sys.argv[1:]))
    if sys.argv[0] == "-m":
        del sys.argv[0]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        run(sys.argv[0])
