"""The output of Epochal matches the committed snapshot."""

import difflib
from pathlib import Path

import pytest

from tests.snapshots.make import STORED, make


def test_output_matches_the_snapshot(shared_cache: Path) -> None:
    """One run per outcome is recorded again, and the output is compared file by file."""
    recorded = make(shared_cache)
    stored = {str(path.relative_to(STORED)): path.read_text("utf-8") for path in STORED.rglob("*.*")}
    differences: list[str] = []
    for name in sorted(recorded.keys() | stored.keys()):
        before, after = stored.get(name, "").splitlines(), recorded.get(name, "").splitlines()
        differences += difflib.unified_diff(before, after, f"stored/{name}", f"made/{name}", n=1, lineterm="")
    if differences:
        advice = "If every change is intended, store the snapshot again:\n    python -m tests.snapshots.make"
        pytest.fail("\n".join([*differences, "", advice]), pytrace=False)
