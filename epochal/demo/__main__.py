"""``python -m epochal.demo FOLDER [--search]``: commit nn.py and show what happens until the mail arrives.

The exit status is 0 only if the mail arrived.
"""

import argparse
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from email.message import EmailMessage
from pathlib import Path

from rich.console import Console
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from epochal.app import App
from epochal.demo.display import display
from epochal.demo.mailbox import Mailbox, free_port
from epochal.demo.stage import Stage
from epochal.errors import EpochalError
from epochal.jobs.signals import Stopped, raise_on_signal
from epochal.records import Run
from epochal.resources import resource
from epochal.runtimes.choice import choose_runtime
from epochal.settings import Environment, child_environment, read_server_settings
from epochal.store.outbox import message_of_run
from epochal.store.runs import runs_of_commit

_CHANGED = object()
_ENDED = object()

Events = queue.SimpleQueue[object]


def main() -> None:
    """Run the demo in the folder given on the command line, and exit with its status."""
    parser = argparse.ArgumentParser(prog="python -m epochal.demo", description="From a commit to a mail.")
    parser.add_argument("folder", type=Path, help="where the demo plays")
    parser.add_argument("--search", action="store_true", help="with a network that needs more than epochs")
    console = Console(highlight=False)
    try:
        with raise_on_signal():
            options = parser.parse_args()
            sys.exit(_run_demo(Stage(options.folder.absolute(), options.search), console))
    except Stopped as stopped:
        console.print("stopped; nothing is left running")
        sys.exit(128 + stopped.signal_number)
    except EpochalError as error:
        console.print(f"epochal: {error}", markup=False)
        sys.exit(error.exit_status)


def _run_demo(stage: Stage, console: Console) -> int:
    events: Events = queue.SimpleQueue()
    runtime = _prepare(stage, console)
    mailbox = Mailbox(events.put)
    gateway_port = free_port()
    stage.set_up(runtime, gateway_port, mailbox.port)
    with ExitStack() as stack:
        mailbox.start()
        stack.callback(mailbox.stop)
        stack.enter_context(_running_server(stage, events, console))
        stack.enter_context(_watch_home(stage.home, events))
        console.print(stage.intro, markup=False, soft_wrap=True)
        start = time.monotonic()
        console.print(stage.commit().rstrip(), markup=False, style="dim")
        mail, run = _follow(stage, events, console)
        if mail is None or run is None:
            console.print(f"no mail came; the server's log is {stage.folder / 'serve.log'}")
            return 1
        console.rule("the mail")
        for name in ("From", "To", "Subject"):
            console.print(f"{name}: {mail[name]}", markup=False, soft_wrap=True)
        body = mail.get_body(("plain",))
        console.print(f"\n{body.get_content() if body else ''}", markup=False, soft_wrap=True)
        console.rule()
        console.print(f"\nThe mail came {time.monotonic() - start:.0f} s after the commit.")
        console.print(f"The run's folder: {stage.home / 'runs' / str(run.id)}", soft_wrap=True)
        console.print(f"More of it: EPOCHAL_HOME={stage.home} epochal show {run.id}", soft_wrap=True)
    return 0


def _environment(stage: Stage) -> Environment:
    return Environment.read().model_copy(update={"home": stage.home})


def _prepare(stage: Stage, console: Console) -> str:
    """Build the image or environment before the timed part of the demo, and return the runtime's name."""
    environment = _environment(stage)
    settings = read_server_settings(environment)

    def log(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    runtime = choose_runtime(environment.runtime or "auto", stage.home, settings, environment.docker_host, log)
    try:
        runtime.prepare("keras", resource("ml_code"), log)
    except EpochalError as error:
        if runtime.name == "process" or environment.runtime:
            raise
        log(f"{error}\nThe image could not be built, so the demo trains in a plain process.")
        runtime = choose_runtime("process", stage.home, settings, "", log)
        runtime.prepare("keras", resource("ml_code"), log)
    return runtime.name


@contextmanager
def _running_server(stage: Stage, events: Events, console: Console) -> Iterator[None]:
    """Run ``epochal serve`` for the demo's home. Yields once its gateway answers requests, and stops it at the end."""
    # Without EPOCHAL_FORCE, a second demo in the same folder would reuse the first one's verdict and train nothing.
    variables = {"EPOCHAL_HOME": str(stage.home), "EPOCHAL_FORCE": "1", "PYTHONUNBUFFERED": "1"}
    with (stage.folder / "serve.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "epochal", "serve"],
            env=child_environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        assert process.stdout
        for line in process.stdout:
            console.print(line.rstrip(), markup=False, style="dim", soft_wrap=True)
            if line.startswith("watched:"):
                break
        threading.Thread(target=_report_end, args=(process, events), daemon=True).start()
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _report_end(process: "subprocess.Popen[str]", events: Events) -> None:
    process.wait()
    events.put(_ENDED)


@contextmanager
def _watch_home(home: Path, events: Events) -> Iterator[None]:
    """Put an event into ``events`` whenever a file changes directly in the home (the database) or below its runs."""

    class Changed(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in ("modified", "created", "moved"):
                events.put(_CHANGED)

    observer = Observer()
    observer.schedule(Changed(), str(home))
    (home / "runs").mkdir(exist_ok=True)
    observer.schedule(Changed(), str(home / "runs"), recursive=True)
    observer.start()
    try:
        yield
    finally:
        observer.stop()
        observer.join()


def _follow(stage: Stage, events: Events, console: Console) -> tuple[EmailMessage | None, Run | None]:
    """Show the run until its mail arrives, and return mail and run. The mail is None if none will arrive."""
    app = App.open(_environment(stage))
    with display(console, app.home) as shown:
        while True:
            event = events.get()
            sha = (stage.developer / ".git" / "refs" / "heads" / "main").read_text(encoding="ascii").strip()
            run = next(iter(runs_of_commit(app.database, sha)), None)
            shown.update(run)
            if isinstance(event, EmailMessage):
                return event, run
            if event is _ENDED:
                return None, run
            if run and run.state.ended:
                message = message_of_run(app.database, run.id)
                if message is None or message.state not in ("pending", "sent"):
                    return None, run


if __name__ == "__main__":
    main()
