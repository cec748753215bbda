"""Create the runtime that the settings ask for."""

from pathlib import Path

from epochal.errors import RunFailed
from epochal.records import Log
from epochal.runtimes.process import ProcessRuntime
from epochal.runtimes.runtime import Runtime
from epochal.settings import RuntimeName, ServerSettings


def choose_runtime(name: RuntimeName, home: Path, settings: ServerSettings, docker_host: str, log: Log) -> Runtime:
    """Return the runtime called ``name``: ``docker``, ``process``, or ``auto`` for whichever is available.

    ``auto`` chooses Docker if its engine answers; otherwise it chooses a plain process and logs why. With ``docker``,
    the engine is not contacted here: if it does not answer, ``prepare`` raises RunFailed(NO_ENGINE), and the job can
    wait for the engine.
    """
    if name == "process":
        return ProcessRuntime(home, settings)
    # Imported only if needed: importing Docker's client takes a fifth of the start-up time of epochal job train.
    from epochal.runtimes.docker import DockerRuntime
    from epochal.runtimes.engine import connect

    if name == "auto":
        try:
            connect(docker_host).close()
        except RunFailed as error:
            problem, end, _ = error.explanation.partition(").")
            log(f"{problem}{end.rstrip('.')}, so a plain process is used instead.")
            return ProcessRuntime(home, settings)
    return DockerRuntime(home, settings, docker_host)
