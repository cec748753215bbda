"""A Docker image with PyTorch, which trains the PyTorch example."""

import csv
import io
import tarfile
from pathlib import Path

import pytest

from epochal.runtimes.choice import choose_runtime
from epochal.runtimes.engine import connect
from tests.conftest import TORCH_STUBS

from .conftest import Bench, MakeHome, make_settings

_BASE = "epochal-test/torch-base:1"
_DOCKERFILE = b"""
ARG BASE
FROM ${BASE}
COPY . /opt/torch_stubs/
ENV UV_OVERRIDE=/opt/torch_stubs/no-cuda.txt LD_LIBRARY_PATH=/opt/torch_stubs
"""


@pytest.mark.docker
@pytest.mark.torch_image
def test_image_with_torch_trains(tmp_path: Path, make_home: MakeHome, docker_host: str, torch_python: Path) -> None:
    """The image has the packages of the process runtime's environment, with stand-ins for the CUDA libraries."""
    settings = make_settings()
    client = connect(docker_host)
    client.images.build(
        fileobj=_context(torch_python),
        custom_context=True,
        tag=_BASE,
        buildargs={"BASE": settings.images.base},
        rm=True,
    )
    images = {"base": _BASE, "ca_bundle": settings.images.ca_bundle, "torch_index": "pypi"}
    home = make_home(tmp_path / "home")
    settings = make_settings({"images": images, "limits": {"memory_mb": 4096, "minutes": 5}})
    runtime = choose_runtime("docker", home, settings, docker_host, print)
    bench = Bench("docker", home, docker_host, runtime.prepare("torch", tmp_path, print))
    script = Path("examples/torch/nn.py").read_text(encoding="utf-8").replace("epochs = 20", "epochs = 2")
    training = bench.make_training(script)

    outcome = runtime.train(training)

    log = training.folder.log.read_text()
    assert outcome.exit_status == 0, log
    assert "Test accuracy: 0." in log


def _context(python: Path) -> io.BytesIO:
    """Return the build context with the stand-ins: the libraries that are missing from torch's own list of files."""
    packages = next(python.parents[1].glob("lib/python*/site-packages"))
    record = next(packages.glob("torch-*.dist-info")) / "RECORD"
    own = {row[0] for row in csv.reader(record.read_text().splitlines())}
    stubs = [path for path in (packages / "torch/lib").glob("*.so*") if str(path.relative_to(packages)) not in own]
    files = {path.name: path.read_bytes() for path in [*stubs, TORCH_STUBS / "no-cuda.txt"]} | {
        "Dockerfile": _DOCKERFILE
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    buffer.seek(0)
    return buffer
