"""The sandbox of the Docker runtime: what the code cannot do."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from epochal.runtimes.engine import connect

from .conftest import Bench

pytestmark = pytest.mark.docker


def run_inside(bench: Bench, script: str, **changes: Any) -> Any:
    """Run ``script`` in the sandbox and return the JSON on the last line that it prints."""
    training = bench.make_training(script)
    outcome = bench.make_runtime(**changes).train(training)
    log = training.folder.log.read_text()
    assert outcome.exit_status == 0, log
    return json.loads(log.splitlines()[-1])


def test_code_has_no_privileges(docker_bench: Bench) -> None:
    """The code is not root and has no capabilities, and no program that it starts can gain any."""
    found = run_inside(
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


def test_code_writes_only_to_its_folders(docker_bench: Bench, tmp_path: Path) -> None:
    """The code can write only to its copy of the repository, its output folder, its home and /tmp."""
    (tmp_path / "data").mkdir(mode=0o777)
    found = run_inside(
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


def test_network_is_off(docker_bench: Bench) -> None:
    """The container has only a loopback interface."""
    assert run_inside(docker_bench, NETWORK) == ["lo"]


def test_network_can_be_allowed(docker_bench: Bench) -> None:
    """A server setting gives the container network access."""
    assert run_inside(docker_bench, NETWORK, sandbox={"network": True}) == ["eth0", "lo"]


def test_number_of_processes_is_limited(docker_bench: Bench) -> None:
    """A fork bomb gets an error and cannot exhaust the host. Threads count as processes."""
    found = run_inside(
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
def foreign_container(docker_bench: Bench) -> Iterator[str]:
    """Yield the ID of somebody else's container with a name like ours."""
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


def test_foreign_container_is_left_alone(docker_bench: Bench, foreign_container: str) -> None:
    """A trial with the same numbers can run beside that container, and reaping does not stop it."""
    runtime = docker_bench.make_runtime()
    assert runtime.train(docker_bench.make_training("")).exit_status == 0
    assert runtime.reap(lambda run, trial: False) == []
    assert connect(docker_bench.docker_host).containers.get(foreign_container).status == "running"
