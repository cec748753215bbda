"""Run a command in a hardened container, and always remove the container afterwards."""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import LogConfig, Mount, Ulimit
from requests.exceptions import ConnectionError as EngineGone
from requests.exceptions import ReadTimeout, RequestException

from epochal.runtimes.cleanup import managed_resource
from epochal.runtimes.label import Label
from epochal.runtimes.log import MEGABYTE, OutputCopier
from epochal.runtimes.stop import Stop
from epochal.settings import LimitSettings

_LABEL_PREFIX = "epochal."
_GRACE_SECONDS = 5
_NOBODY = 65534
_MAX_SECONDS = 2_000_000.0
"""The longest wait for an answer from the engine, 23 days; poll(2) takes a C int of milliseconds, at most 24.8 days."""


@dataclass(frozen=True)
class Task:
    """A command to run in a container, and what it may use.

    ``environment``: its environment variables. ``mounts``: triples of a path on the host, the path in the container,
    and whether it is writable. ``command``: empty for the image's default command. ``network``: whether it may use the
    network. ``seconds``: its time limit.
    """

    image: str
    label: Label
    environment: dict[str, str]
    mounts: Sequence[tuple[Path, str, bool]] = ()
    command: Sequence[str] = ()
    network: bool = False
    seconds: float = field(default=_MAX_SECONDS)


@dataclass(frozen=True)
class ContainerResult:
    """How a container ended.

    ``exit_status``: 128 + n if signal n ended it. ``seconds``: how long it ran. ``out_of_memory``: whether the kernel
    killed a process in it for lack of memory. ``timed_out``: whether it was stopped at its time limit.
    """

    exit_status: int
    seconds: float
    out_of_memory: bool
    timed_out: bool


def user_and_group() -> tuple[int, int]:
    """Return the user and group IDs for training: ``nobody``'s if this process runs as root, otherwise its own."""
    return (os.getuid(), os.getgid()) if os.getuid() != 0 else (_NOBODY, _NOBODY)


def run_container(
    client: docker.DockerClient,
    task: Task,
    limits: LimitSettings,
    *sinks: Callable[[bytes], None],
    stop: Stop | None = None,
) -> ContainerResult:
    """Run ``task`` in a container until it ends, reaches its time limit or is stopped by ``stop``; return how it ended.

    Each chunk of its output is passed to all ``sinks``, in another thread. Raises the first exception that a sink
    raised. The container is always removed.
    """
    options = _container_options(task, limits)
    with managed_resource(lambda: client.containers.create(task.image, **options), _remove) as container:
        # Attach before the start, so that no output is missed: the engine keeps no log, because nothing would limit its
        # size.
        output = container.attach(stdout=True, stderr=True, stream=True, logs=False)
        copier = OutputCopier(_read_chunks(output), *sinks)
        started = time.monotonic()
        container.start()
        with (stop or Stop()).on_request(lambda: _kill(container)):
            timed_out = not _wait_for_exit(container, task.seconds)
        if timed_out:
            container.stop(timeout=_GRACE_SECONDS)
        exit_status = container.wait()["StatusCode"]
        seconds = time.monotonic() - started
        copier.finish()
        container.reload()
        return ContainerResult(exit_status, seconds, container.attrs["State"]["OOMKilled"], timed_out)


def find_containers(client: docker.DockerClient, home: str) -> Iterator[tuple[str, Label]]:
    """Yield the ID and the ``Label`` of each container, running or not, that belongs to the EPOCHAL_HOME with the ID ``home``."""
    for found in client.api.containers(all=True, filters={"label": f"{_LABEL_PREFIX}home={home}"}):
        values = {name: found["Labels"].get(_LABEL_PREFIX + name, "0") for name in ("run", "trial", "until")}
        yield found["Id"], Label(home, **{name: int(value) for name, value in values.items()})


def remove(client: docker.DockerClient, container_id: str) -> None:
    """Kill and remove a container. Do nothing if it is gone or already being removed."""
    with suppress(NotFound):
        try:
            client.api.remove_container(container_id, v=True, force=True)
        except APIError as error:
            if error.status_code != 409:  # "removal of container … is already in progress"
                raise


def _remove(container: Container) -> None:
    # If the engine does not answer, a later ``reap`` removes the container.
    with suppress(RequestException):
        remove(container.client, container.id)


def _kill(container: Container) -> None:
    try:
        container.kill()
    except APIError as error:
        if error.status_code != 409:  # the container has just ended on its own
            raise


def _wait_for_exit(container: Container, seconds: float) -> bool:
    limit = min(seconds, _MAX_SECONDS)
    deadline = time.monotonic() + limit
    try:
        container.wait(timeout=limit)
    except (EngineGone, ReadTimeout):  # the SDK raises ConnectionError for timeouts, too
        if time.monotonic() < deadline:
            raise
        return False
    return True


def _read_chunks(output: Iterator[bytes]) -> Iterator[bytes]:
    with suppress(OSError, RequestException):  # the call that waits for the container raises the error
        yield from output


def _container_options(task: Task, limits: LimitSettings) -> dict[str, Any]:
    """Return the arguments for creating the container for ``task``, including the sandbox options and ``limits``."""
    label = task.label
    purpose = f"run-{label.run}-trial-{label.trial}" if label.run else "helper"
    user, group = user_and_group()
    size = limits.tmp_mb * MEGABYTE
    memory = limits.memory_mb * MEGABYTE
    file = int(limits.output_mb * MEGABYTE)
    return {
        "name": f"epochal-{purpose}-{secrets.token_hex(4)}",
        "command": list(task.command) or None,
        "labels": {_LABEL_PREFIX + name: str(value) for name, value in asdict(label).items()},
        "environment": {"HOME": "/tmp", "USER": "epochal"} | task.environment,  # noqa: S108 (inside the container)
        "mounts": [
            Mount(inside, str(here.absolute()), type="bind", read_only=not writable)
            for here, inside, writable in task.mounts
        ],
        "user": f"{user}:{group}",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "network_mode": "bridge" if task.network else "none",
        "use_config_proxy": task.network,  # code without a network must not see proxies and their passwords
        "ipc_mode": "private",
        "shm_size": size,
        "read_only": True,
        # exec, because PyTorch and numba compile code during training and load the result from here. Files in the
        # folder with the code can be executed anyway.
        "tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={size}"},  # noqa: S108 (inside the container)
        "mem_limit": memory,
        "memswap_limit": memory,  # the limit for memory and swap together, so there is no swap
        "nano_cpus": int(limits.cpus * 1e9) or None,
        "pids_limit": limits.processes,
        "ulimits": [Ulimit(name="fsize", soft=file, hard=file), Ulimit(name="core", soft=0, hard=0)],
        "init": True,  # without it the script is process 1, which ignores SIGTERM and does not reap orphans
        "log_config": LogConfig(type=LogConfig.types.NONE),
    }
