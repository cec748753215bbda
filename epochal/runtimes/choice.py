"""Which runtime is meant."""

from pathlib import Path

from epochal.errors import RunFailed
from epochal.records import Log
from epochal.runtimes.process import ProcessRuntime
from epochal.runtimes.runtime import Runtime
from epochal.settings import RuntimeName, ServerSettings


def choose_runtime(name: RuntimeName, home: Path, settings: ServerSettings, docker_host: str, log: Log) -> Runtime:
    """Return the runtime ``name``; ``auto`` is Docker if its engine answers, else the process, and logs why.

    For ``docker`` the engine is not asked here: ``prepare`` raises RunFailed(NO_ENGINE), which can be waited out.
    """
    if name == "process":
        return ProcessRuntime(home, settings)
    # Imported here: Docker's client takes a fifth of the time that job train needs to start.
    from epochal.runtimes.docker import DockerRuntime
    from epochal.runtimes.engine import connect

    if name == "auto":
        try:
            connect(docker_host).close()
        except RunFailed as error:
            log(f"Training runs as a plain process. {error.explanation}")
            return ProcessRuntime(home, settings)
    return DockerRuntime(home, settings, docker_host)
