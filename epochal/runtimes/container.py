"""One container: confined, followed to its end, and never left behind."""

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

from epochal.runtimes.cleanup import made
from epochal.runtimes.log import MEGABYTE, Copying
from epochal.runtimes.owner import Belonging
from epochal.runtimes.stop import Stop
from epochal.settings import LimitSettings

_LABEL = "epochal."
_GRACE_SECONDS = 5
_NOBODY = 65534
_LONGEST_SECONDS = 10_000_000.0
"""What a socket's time limit can hold; four months."""


@dataclass(frozen=True)
class Task:
    """What is to run in a container. ``mounts`` are (here, inside, writable); an empty ``command``: the image's own."""

    image: str
    belonging: Belonging
    environment: dict[str, str]
    mounts: Sequence[tuple[Path, str, bool]] = ()
    command: Sequence[str] = ()
    network: bool = False
    seconds: float = field(default=_LONGEST_SECONDS)


@dataclass(frozen=True)
class Ending:
    """How a container ended: the exit status (128 + n for signal n), whether memory ran out in it, whether time did."""

    exit_status: int
    seconds: float
    out_of_memory: bool
    timed_out: bool


def user_and_group() -> tuple[int, int]:
    """Return who trains: ourselves, or nobody if we are root."""
    return (os.getuid(), os.getgid()) if os.getuid() != 0 else (_NOBODY, _NOBODY)


def run_container(
    client: docker.DockerClient,
    task: Task,
    limits: LimitSettings,
    *sinks: Callable[[bytes], None],
    stop: Stop | None = None,
) -> Ending:
    """Run ``task`` to its end, its time limit or ``stop``, its output going to ``sinks``; then the container is gone."""
    options = _options(task, limits)
    with made(lambda: client.containers.create(task.image, **options), _remove) as container:
        # Attached before it starts, so that nothing is missed: the engine itself keeps no log, which bounds it too.
        output = container.attach(stdout=True, stderr=True, stream=True, logs=False)
        copying = Copying(_until_the_engine_is_gone(output), *sinks)
        began = time.monotonic()
        container.start()
        with (stop or Stop()).ends(lambda: _kill(container)):
            timed_out = not _ended_within(container, task.seconds)
        if timed_out:
            container.stop(timeout=_GRACE_SECONDS)
        exit_status = container.wait()["StatusCode"]
        seconds = time.monotonic() - began
        copying.finish()
        container.reload()
        return Ending(exit_status, seconds, container.attrs["State"]["OOMKilled"], timed_out)


def left_overs(client: docker.DockerClient, home: str) -> Iterator[tuple[str, Belonging]]:
    """Yield the ids of all containers of ``home``, running or not, and what they were started for."""
    for found in client.api.containers(all=True, filters={"label": f"{_LABEL}home={home}"}):
        values = {name: found["Labels"].get(_LABEL + name, "0") for name in ("run", "trial", "until")}
        yield found["Id"], Belonging(home, **{name: int(value) for name, value in values.items()})


def remove(client: docker.DockerClient, container_id: str) -> None:
    """Kill and remove a container; one that is gone, or just going, is fine."""
    with suppress(NotFound):
        try:
            client.api.remove_container(container_id, v=True, force=True)
        except APIError as error:
            if error.status_code != 409:  # "removal of container … is already in progress"
                raise


def _remove(container: Container) -> None:
    # An engine that is gone cannot be asked; the container is reaped when it is back.
    with suppress(RequestException):
        remove(container.client, container.id)


def _kill(container: Container) -> None:
    try:
        container.kill()
    except APIError as error:
        if error.status_code != 409:  # it has ended by itself just now
            raise


def _ended_within(container: Container, seconds: float) -> bool:
    limit = min(seconds, _LONGEST_SECONDS)
    deadline = time.monotonic() + limit
    try:
        container.wait(timeout=limit)
    except (EngineGone, ReadTimeout):  # the SDK raises the first one for both
        if time.monotonic() < deadline:
            raise
        return False
    return True


def _until_the_engine_is_gone(chunks: Iterator[bytes]) -> Iterator[bytes]:
    with suppress(OSError, RequestException):  # whoever waits for the container is told
        yield from chunks


def _options(task: Task, limits: LimitSettings) -> dict[str, Any]:
    """Return what the engine is asked for: the task, confined."""
    belonging = task.belonging
    purpose = f"run-{belonging.run}-trial-{belonging.trial}" if belonging.run else "helper"
    user, group = user_and_group()
    size = limits.tmp_mb * MEGABYTE
    memory = limits.memory_mb * MEGABYTE
    file = int(limits.output_mb * MEGABYTE)
    return {
        "name": f"epochal-{purpose}-{secrets.token_hex(4)}",
        "command": list(task.command) or None,
        "labels": {_LABEL + name: str(value) for name, value in asdict(belonging).items()},
        "environment": {"HOME": "/tmp", "USER": "epochal"} | task.environment,  # noqa: S108 (the container's own)
        "mounts": [
            Mount(inside, str(here.absolute()), type="bind", read_only=not writable)
            for here, inside, writable in task.mounts
        ],
        "user": f"{user}:{group}",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "network_mode": "bridge" if task.network else "none",
        "use_config_proxy": task.network,  # the client's proxies, passwords included, are nothing for code without a network
        "ipc_mode": "private",
        "shm_size": size,
        "read_only": True,
        # exec: what compiles while it trains (PyTorch, numba) loads from here; the code's own folder allows it anyway.
        "tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={size}"},  # noqa: S108 (the container's own)
        "mem_limit": memory,
        "memswap_limit": memory,  # the two together: no swap
        "nano_cpus": int(limits.cpus * 1e9) or None,
        "pids_limit": limits.processes,
        "ulimits": [Ulimit(name="fsize", soft=file, hard=file), Ulimit(name="core", soft=0, hard=0)],
        "init": True,  # without it a script is process 1, which ignores SIGTERM, and orphans are nobody's
        "log_config": LogConfig(type=LogConfig.types.NONE),
    }
