"""Follow a trial's training by reading the lines that the recorder appends to ``metrics.jsonl``."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from epochal.jobs.log import log
from epochal.records import Epoch
from epochal.results.metrics import parse_epochs
from epochal.results.outputs import read_untrusted

OnEpoch = Callable[[Epoch], None]


@contextmanager
def follow_epochs(metrics: Path, on_epoch: OnEpoch) -> Iterator[None]:
    """Call ``on_epoch`` for each epoch in the file ``metrics`` as soon as its line is complete.

    This uses inotify(7) instead of polling. Epochs not yet reported at the end of the ``with`` block are reported then.
    """
    follower = _Follower(metrics, on_epoch)
    observer = Observer()
    observer.schedule(follower, str(metrics.parent))
    try:
        observer.start()
    except OSError as error:  # the machine has no inotify instances left, so the epochs are reported at the end
        log(f"note: epochs cannot be shown live, only after training has ended ({error.strerror})")
    try:
        yield
    finally:
        if observer.is_alive():
            observer.stop()
            observer.join()
        follower.read()


class _Follower(FileSystemEventHandler):
    def __init__(self, metrics: Path, on_epoch: OnEpoch) -> None:
        self._metrics = metrics
        self._on_epoch = on_epoch
        self._read_bytes = 0
        self._lock = threading.Lock()

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type == "modified" and Path(str(event.src_path)).name == self._metrics.name:
            self.read()

    def read(self) -> None:
        """Read the complete lines added since the last call, and report the epochs in them."""
        with self._lock:
            added = read_untrusted(self._metrics, self._read_bytes) or b""
            complete_lines = added[: added.rfind(b"\n") + 1]
            self._read_bytes += len(complete_lines)
            for epoch in parse_epochs(complete_lines.decode("utf-8", "replace")):
                self._on_epoch(epoch)


def format_epoch(epoch: Epoch) -> str:
    """Format an epoch as one log line, as in ``epoch 3/20  accuracy 0.412  val_accuracy 0.405  loss 1.872  0.4 s``."""
    total = f"/{epoch.epochs}" if epoch.epochs else ""
    ordered = sorted(epoch.metrics.items(), key=lambda item: ("accuracy" not in item[0], item[0]))
    prefix = "" if (epoch.model, epoch.call) == (1, 1) else f"model {epoch.model} fit {epoch.call}  "
    line = f"{prefix}epoch {epoch.number}{total}"
    for name, value in ordered:  # names come from the training code and must not break the line
        printable = "".join(character if character.isprintable() else "?" for character in name[:80])
        line += f"  {printable} {value:.4g}"
    return f"{line}  {epoch.seconds:.1f} s"
