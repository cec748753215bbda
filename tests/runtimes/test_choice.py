"""Which runtime is taken, and what is told where no engine answers."""

from pathlib import Path

import pytest

from epochal.errors import Reason, RunFailed
from epochal.runtimes.choice import choose_runtime

from .conftest import server_settings


def test_auto_takes_the_process_where_no_engine_answers(tmp_path: Path) -> None:
    """One line says which runtime it is, and why."""
    told: list[str] = []
    runtime = choose_runtime("auto", tmp_path, server_settings(), f"unix://{tmp_path}/no.sock", told.append)
    assert runtime.name == "process"
    assert len(told) == 1
    assert "No such file or directory" in told[0]


@pytest.mark.docker
def test_auto_takes_docker_where_its_engine_answers(tmp_path: Path, docker_host: str) -> None:
    """The sandbox comes first, without a word."""
    told: list[str] = []
    assert choose_runtime("auto", tmp_path, server_settings(), docker_host, told.append).name == "docker"
    assert told == []


@pytest.mark.parametrize("host", ["unix://{}/no.sock", "tcp://127.0.0.1:1", "nonsense://"])
def test_docker_never_falls_back(tmp_path: Path, host: str) -> None:
    """Without an engine nothing is trained; one line says where it was looked for and how to mend it."""
    host = host.format(tmp_path)
    runtime = choose_runtime("docker", tmp_path, server_settings(), host, print)
    assert runtime.name == "docker"
    assert runtime.image_name("python", tmp_path).startswith("epochal/python:")  # which needs no engine
    with pytest.raises(RunFailed) as caught:
        runtime.prepare("python", tmp_path, print)
    assert caught.value.reason is Reason.NO_ENGINE
    assert f"answers at {host} (" in caught.value.explanation
    assert "\n" not in caught.value.explanation
