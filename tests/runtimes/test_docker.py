"""What only the Docker runtime promises: the code cannot get out."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from epochal.runtimes.engine import connect

from .conftest import Bench

pytestmark = pytest.mark.docker


def seen_inside(bench: Bench, script: str, **changes: Any) -> Any:
    """What ``script`` finds out: the JSON that it prints last."""
    training = bench.training(script)
    outcome = bench.runtime(**changes).train(training)
    log = training.folder.log.read_text()
    assert outcome.exit_status == 0, log
    return json.loads(log.splitlines()[-1])


def test_who_the_code_is(docker_bench: Bench) -> None:
    """Not root, without capabilities, and nothing that it executes can gain any."""
    found = seen_inside(
        docker_bench,
        """
        import json, os
        status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
        print(json.dumps({"user": os.getuid(), "effective": status["CapEff"], "bounding": status["CapBnd"],
                          "no new privileges": status["NoNewPrivs"]}))
        """,
    )
    assert found.pop("user") != 0
    assert found == {"effective": "0" * 16, "bounding": "0" * 16, "no new privileges": "1"}


def test_where_the_code_can_write(docker_bench: Bench, tmp_path: Path) -> None:
    """Into its own copy, its output folder, its home and /tmp, and nowhere else."""
    (tmp_path / "data").mkdir(mode=0o777)
    found = seen_inside(
        docker_bench,
        """
        import json, os
        folders = ["/train", "/out", "/tmp", os.environ["HOME"]]
        folders += ["/", "/var/tmp", "/opt/venv", "/data", "/datasets", "/recorder"]
        found = {}
        for folder in folders:
            try:
                open(folder + "/new", "w").close()
                found[folder] = True
            except OSError:
                found[folder] = False
        print(json.dumps([folder for folder in folders if found[folder]]))
        """,
        data=str(tmp_path / "data"),
    )
    assert found == ["/train", "/out", "/tmp", "/home/epochal"]


NETWORK = """
    import json, socket
    print(json.dumps(sorted(name for _, name in socket.if_nameindex())))
"""


def test_the_network_is_off(docker_bench: Bench) -> None:
    """There is no interface but the loopback."""
    assert seen_inside(docker_bench, NETWORK) == ["lo"]


def test_the_network_can_be_allowed(docker_bench: Bench) -> None:
    """The server's setting gives the container a network."""
    assert seen_inside(docker_bench, NETWORK, sandbox={"network": True}) == ["eth0", "lo"]


def test_the_number_of_processes_is_limited(docker_bench: Bench) -> None:
    """A fork bomb ends with an error of its own."""
    found = seen_inside(
        docker_bench,
        """
        import json, threading
        stop = threading.Event()
        started = 0
        try:
            while started < 200:
                threading.Thread(target=stop.wait).start()
                started += 1
        except RuntimeError:
            pass
        stop.set()
        print(json.dumps(started))
        """,
        limits={"processes": 40},
    )
    assert 0 < found < 40


@pytest.fixture
def foreign(docker_bench: Bench) -> Iterator[str]:
    """A container of somebody else, whose name is like ours."""
    client = connect(docker_bench.docker_host)
    container = client.containers.run(
        docker_bench.image,
        ["sleep", "1000"],
        name=f"epochal-run-1-trial-1-{secrets.token_hex(4)}",
        labels={"epochal.run": "1"},
        detach=True,
    )
    yield container.id
    container.remove(force=True)
    client.close()


def test_a_foreign_container_is_left_alone(docker_bench: Bench, foreign: str) -> None:
    """Training works beside it, and reaping does not touch it."""
    runtime = docker_bench.runtime()
    assert runtime.train(docker_bench.training("")).exit_status == 0
    assert runtime.reap(lambda run, trial: False) == []
    assert connect(docker_bench.docker_host).containers.get(foreign).status == "running"
