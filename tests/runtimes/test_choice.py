"""The choice of the runtime, and what is reported if no Docker engine answers."""

from pathlib import Path

import pytest

from epochal.errors import Reason, RunFailed
from epochal.runtimes.choice import choose_runtime

from .conftest import make_settings


def test_auto_uses_processes_if_no_engine_answers(tmp_path: Path) -> None:
    """A single log line gives the reason."""
    lines: list[str] = []
    runtime = choose_runtime("auto", tmp_path, make_settings(), f"unix://{tmp_path}/no.sock", lines.append)
    assert runtime.name == "process"
    assert len(lines) == 1
    assert "(No such file or directory), so a plain process is used instead." in lines[0]


@pytest.mark.docker
def test_auto_uses_docker_if_its_engine_answers(tmp_path: Path, docker_host: str) -> None:
    """The sandbox is preferred, and nothing is logged."""
    lines: list[str] = []
    assert choose_runtime("auto", tmp_path, make_settings(), docker_host, lines.append).name == "docker"
    assert lines == []


@pytest.mark.parametrize("host", ["unix://{}/no.sock", "tcp://127.0.0.1:1", "nonsense://"])
def test_docker_never_falls_back(tmp_path: Path, host: str) -> None:
    """Without an engine, nothing is trained. The explanation is one line with the address tried and a remedy."""
    host = host.format(tmp_path)
    runtime = choose_runtime("docker", tmp_path, make_settings(), host, print)
    assert runtime.name == "docker"
    assert runtime.image_name("python", tmp_path).startswith("epochal/python:")  # this needs no engine
    with pytest.raises(RunFailed) as caught:
        runtime.prepare("python", tmp_path, print)
    assert caught.value.reason is Reason.NO_ENGINE
    assert f"engine at {host} does not answer (" in caught.value.explanation
    assert 'use epochal run --runtime process or, for a server, set runtime = "process"' in caught.value.explanation
    assert "\n" not in caught.value.explanation
