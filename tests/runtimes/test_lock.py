"""One builder at a time."""

import threading
from pathlib import Path

from epochal.runtimes.lock import one_at_a_time


def test_a_second_builder_waits_for_the_first(tmp_path: Path) -> None:
    """It says that it waits, and begins once the first one has ended."""
    order: list[str] = []
    waits = threading.Event()

    def log(line: str) -> None:
        assert line.startswith("Another job is making the same environment")
        waits.set()

    def build() -> None:
        with one_at_a_time(tmp_path / "locks" / "keras", log):
            order.append("second")

    second = threading.Thread(target=build)
    with one_at_a_time(tmp_path / "locks" / "keras", log):
        second.start()
        assert waits.wait(30)
        order.append("first")
    second.join(30)
    assert order == ["first", "second"]
