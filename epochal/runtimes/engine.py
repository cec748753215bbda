"""Connect to the Docker engine, and translate its errors into Epochal's exceptions."""

from collections.abc import Iterator
from contextlib import contextmanager

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from epochal.errors import EpochalError, Reason, RunFailed
from epochal.settings import child_environment

_DEFAULT_HOST = "unix:///var/run/docker.sock"


def connect(docker_host: str) -> docker.DockerClient:
    """Return a client for the Docker engine at ``docker_host``, after checking that the engine answers.

    ``docker_host`` has the form of the environment variable DOCKER_HOST; empty means the default socket. Raises
    RunFailed(NO_ENGINE) if the engine does not answer.
    """
    variables = child_environment({"DOCKER_HOST": docker_host or _DEFAULT_HOST})
    with engine_errors(docker_host):
        return docker.from_env(environment=variables)


@contextmanager
def engine_errors(docker_host: str) -> Iterator[None]:
    """Translate the exceptions that the Docker SDK raises in the ``with`` block into Epochal's own.

    Raises RunFailed(NO_ENGINE) if the engine does not answer, and EpochalError if it refuses a request.
    """
    try:
        yield
    except APIError as error:
        raise EpochalError(f"The Docker engine refused the request: {error.explanation or error}") from error
    except (DockerException, RequestException) as error:
        # The operating system's message is the clearest; it is in the innermost exception of the chain.
        chain: list[BaseException] = [error]
        while inner := chain[-1].__cause__ or chain[-1].__context__:
            chain.append(inner)
        messages = [each.strerror for each in chain if isinstance(each, OSError) and each.strerror]
        cause = messages[-1] if messages else str(error)
        remedy = "Add this user to the docker group" if cause == "Permission denied" else "Start it"
        raise RunFailed(
            Reason.NO_ENGINE,
            f"The Docker engine at {docker_host or _DEFAULT_HOST} does not answer ({cause}). "
            f"{remedy}, or train without a sandbox: use epochal run --runtime process or, for a server, set "
            'runtime = "process" in server.toml.',
        ) from error
