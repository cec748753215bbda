"""Reaching the Docker engine, and saying plainly when it is not there."""

from collections.abc import Iterator
from contextlib import contextmanager

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from epochal.errors import EpochalError, Reason, RunFailed
from epochal.settings import child_environment

_DEFAULT = "unix:///var/run/docker.sock"


def connect(docker_host: str) -> docker.DockerClient:
    """Return a client of the engine at ``docker_host`` (as DOCKER_HOST; empty: the usual socket) that has answered once.

    Raises RunFailed(NO_ENGINE).
    """
    variables = child_environment({"DOCKER_HOST": docker_host or _DEFAULT})
    with engine_errors(docker_host):
        return docker.from_env(environment=variables)


@contextmanager
def engine_errors(docker_host: str) -> Iterator[None]:
    """Turn the SDK's errors into ours: RunFailed(NO_ENGINE) if nobody answers, EpochalError if the engine refuses."""
    try:
        yield
    except APIError as error:
        raise EpochalError(f"The Docker engine refused: {error.explanation or error}") from error
    except (DockerException, RequestException) as error:
        # The system's own words, from the bottom of the chain of exceptions; else the outermost error's.
        chain: list[BaseException] = [error]
        while following := chain[-1].__cause__ or chain[-1].__context__:
            chain.append(following)
        words = [each.strerror for each in chain if isinstance(each, OSError) and each.strerror]
        cause = words[-1] if words else str(error)
        remedy = "Let this user use it (group docker)" if cause == "Permission denied" else "Start it"
        raise RunFailed(
            Reason.NO_ENGINE,
            f"No Docker engine answers at {docker_host or _DEFAULT} ({cause}). "
            f'{remedy}, or let training run without a sandbox: runtime = "process" in server.toml.',
        ) from error
