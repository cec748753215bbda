"""Which part of the Dockerfile is built."""

import pytest

from epochal.runtimes.images import stages_for

DOCKERFILE = """\
# the preamble
ARG BASE_IMAGE=debian
FROM ${BASE_IMAGE} AS base
RUN zero
FROM base AS python
RUN one
FROM base AS keras
RUN two
from keras as torch
RUN three
"""


@pytest.mark.parametrize(
    ("target", "runs"),
    [
        ("base", ["zero"]),
        ("python", ["zero", "one"]),
        ("keras", ["zero", "two"]),
        ("torch", ["zero", "two", "three"]),
    ],
)
def test_only_the_stages_that_the_target_stands_on(target: str, runs: list[str]) -> None:
    """The engine's builder would build every stage in front of the target."""
    stages = stages_for(target, DOCKERFILE)
    assert stages.startswith("# the preamble\nARG BASE_IMAGE=debian\nFROM ${BASE_IMAGE} AS base\n")
    assert [line.removeprefix("RUN ") for line in stages.splitlines() if line.startswith("RUN")] == runs
