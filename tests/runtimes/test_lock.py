"""The lock that a job holds while it builds a training environment."""

import threading
from pathlib import Path

from epochal.runtimes.lock import file_lock


def test_second_build_waits_for_the_first(tmp_path: Path) -> None:
    """The second build logs that it is waiting, and starts once the first has ended."""
    order: list[str] = []
    waits = threading.Event()

    def log(line: str) -> None:
        assert line.startswith("Another job is building the same training environment")
        waits.set()

    def build() -> None:
        with file_lock(tmp_path / "locks" / "keras", log):
            order.append("second")

    second = threading.Thread(target=build)
    with file_lock(tmp_path / "locks" / "keras", log):
        second.start()
        assert waits.wait(30)
        order.append("first")
    second.join(30)
    assert order == ["first", "second"]
