"""Show what the demo does: a live display on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from epochal.folders import Home
from epochal.records import Log, Run, State, Trial
from epochal.results.metrics import parse_epochs

_JOB_OF_STATE = {
    State.QUEUED: "pull",
    State.PULLED: "train",
    State.TRAINING: "train",
    State.BELOW: "retrain",
    State.RETRAINING: "retrain",
}


class Display(Protocol):
    """A display of a run's progress."""

    def update(self, run: Run | None) -> None:
        """Show the current state of ``run``; None means that there is no run yet."""
        ...


@contextmanager
def building(console: Console) -> Iterator[Log]:
    """Yield a function that shows a line of a build's output and, on a terminal, the time since the build began."""
    if not console.is_terminal:
        yield lambda line: console.print(line, markup=False, soft_wrap=True)
        return
    columns = SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Preparing the training environment")
        yield lambda line: progress.update(task, description=line)


@contextmanager
def display(console: Console, home: Home) -> Iterator[Display]:
    """Yield a live table if ``console`` is a terminal, and a display of plain lines otherwise."""
    if not console.is_terminal:
        yield _Lines(console, home)
        return
    with Live(console=console, refresh_per_second=8, transient=False) as live:
        yield _Table(live, home)


class _Lines:
    """A display that prints the lines of the jobs' console logs."""

    def __init__(self, console: Console, home: Home) -> None:
        self._console = console
        self._home = home
        self._read_bytes: dict[Path, int] = {}

    def update(self, run: Run | None) -> None:
        """Print the lines that the jobs have written since the last update."""
        for job in ("pull", "train", "retrain") if run else ():
            assert run is not None
            path = self._home.run(run.id).console(job)
            if not path.exists():
                continue
            with path.open("rb") as file:
                file.seek(self._read_bytes.get(path, 0))
                added = file.read()
            complete = added[: added.rfind(b"\n") + 1]
            self._read_bytes[path] = self._read_bytes.get(path, 0) + len(complete)
            for line in complete.decode("utf-8", "replace").splitlines():
                self._console.print(f"[{job}] {line}", markup=False, highlight=False, soft_wrap=True)


class _Table:
    """A live table of the run's trials, with the epochs, accuracy and status of each."""

    def __init__(self, live: Live, home: Home) -> None:
        self._live = live
        self._home = home
        self._spinner = Spinner("dots")

    def update(self, run: Run | None) -> None:
        """Redraw the table of the run's trials."""
        if run is None:
            self._spinner.update(text="pushed; waiting for the webhook")
            self._live.update(self._spinner, refresh=True)
            return
        threshold = f"threshold {run.threshold:g}" if run.threshold else "threshold"
        table = Table("trial", "epochs", "", "accuracy", threshold)
        for trial in run.trials:
            table.add_row(*self._row(run, trial))
        job = _JOB_OF_STATE.get(run.state)
        self._spinner.update(text=f"run {run.id} · {job} job · {run.state}" if job else "")
        heading = self._spinner if job else Text(f"run {run.id} · {run.state}", style="bold")
        self._live.update(Group(heading, table), refresh=True)

    def _row(self, run: Run, trial: Trial) -> tuple[RenderableType, ...]:
        metrics = self._home.run(run.id).trial(trial.number).metrics
        epochs = parse_epochs(metrics.read_text(encoding="utf-8", errors="replace")) if metrics.exists() else []
        last = epochs[-1] if epochs else None
        total = last.epochs if last and last.epochs else None
        accuracy = trial.accuracy.value if trial.accuracy else (last.accuracy if last else None)
        shown = f"{accuracy:.4g}" if accuracy is not None else ""
        done = last.number if last else 0  # A resumed trial continues counting from its checkpoint.
        bar = ProgressBar(total=total or 1, completed=done, width=24)
        if trial.judgement:
            word = Text(trial.judgement.verdict.value, style="bold green" if trial.reached else "yellow")
        elif trial.reason:
            word = Text(trial.reason.value, style="red")
        else:
            word = Text("training" if last else "starting", style="dim")
        return str(trial.number), f"{done}/{total or '?'}", bar, shown, word
