"""The job scripts with a real Docker engine, training scripts that need no framework."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from epochal.errors import Reason
from epochal.records import State
from tests.jobs.chain import drive, store_push, stored_run, train_commit
from tests.repositories import make_repository

pytestmark = pytest.mark.docker

_IMPROVING_SCRIPT = "epochs = 20\nprint(f'Test accuracy: {epochs / 40}')\nopen('model.keras', 'w').write('weights')\n"


def _list_containers(host: str, run: int, folder: Path, *, stopped: bool = True) -> list[str]:
    """Return the ids of the run's containers that mount something from ``folder``, including stopped ones if ``stopped``."""
    client = docker.DockerClient(base_url=host) if host else docker.from_env()
    # One request gets everything, because another test's container may be gone by the next request.
    containers = client.api.containers(all=stopped, filters={"label": f"epochal.run={run}"})
    return [each["Id"] for each in containers if any(str(folder) in mount["Source"] for mount in each["Mounts"])]


def test_train_and_retrain_run_in_containers(home: Path, tmp_path: Path, docker_host: str) -> None:
    """No container is left afterwards, and the model that the script saved is kept."""
    files: dict[str, str | bytes] = {"nn.py": _IMPROVING_SCRIPT, "epochal.toml": "threshold = 0.7\n"}
    ended = train_commit(home, tmp_path, files, EPOCHAL_RUNTIME="docker")
    assert (ended.run.state, ended.status) == (State.REACHED, 0), ended.printed
    assert ended.run.runtime == "docker"
    assert ended.run.image is not None
    assert ended.run.image.startswith("epochal/python:")
    assert (ended.folder / "trials/2/code/model.keras").read_text() == "weights"
    assert _list_containers(docker_host, ended.run.id, home) == []


def test_container_of_a_killed_job_is_removed(home: Path, tmp_path: Path, docker_host: str) -> None:
    """The container outlives a job that gets SIGKILL; the next start of the job removes it and trains again."""
    waiting = "import os, time\nif not os.path.exists('/data/again'):\n    time.sleep(600)\n"
    data = tmp_path / "data"
    data.mkdir()
    (home / "server.toml").write_text(f'data = "{data}"\n', encoding="utf-8")
    files: dict[str, str | bytes] = {"nn.py": waiting + _IMPROVING_SCRIPT, "epochal.toml": "threshold = 0.5\n"}
    run = store_push(home, make_repository(tmp_path / "digits", files))
    variables = {"EPOCHAL_HOME": str(home), "EPOCHAL_RUN": str(run.id), "EPOCHAL_RUNTIME": "docker"}
    command = [sys.executable, "-m", "epochal", "job"]
    assert subprocess.run([*command, "pull"], env=os.environ | variables, check=False).returncode == 0
    process = subprocess.Popen([*command, "train"], env=os.environ | variables, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert any("trial 1: training as pushed" in line for line in process.stdout)
    client = docker.DockerClient(base_url=docker_host) if docker_host else docker.from_env()
    started = client.events(decode=True, since=0, filters={"type": "container", "event": "start"})
    # Read events until the container of this run has started.
    assert any(_list_containers(docker_host, run.id, home, stopped=False) for _ in started)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(_list_containers(docker_host, run.id, home, stopped=False)) == 1
    (data / "again").touch()
    ended = drive(home, stored_run(home, run.id), EPOCHAL_RUNTIME="docker")
    assert ended.run.state is State.REACHED, ended.printed
    assert [trial.reason for trial in ended.run.trials] == [Reason.INTERRUPTED, None]
    assert _list_containers(docker_host, run.id, home) == []


def test_run_waits_for_the_engine(home: Path, tmp_path: Path) -> None:
    """If no engine answers within ``engine_minutes``, the run fails. The wait is logged once."""
    (home / "server.toml").write_text("[limits]\nengine_minutes = 0.02\n", encoding="utf-8")
    ended = train_commit(
        home,
        tmp_path,
        {"nn.py": _IMPROVING_SCRIPT},
        EPOCHAL_RUNTIME="docker",
        DOCKER_HOST=f"unix://{tmp_path}/no-engine",
    )
    assert (ended.run.state, ended.run.reason, ended.status) == (State.FAILED, Reason.NO_ENGINE, 1)
    assert ended.printed["train"].count("waiting up to 0.02 min for the Docker engine: ") == 1
