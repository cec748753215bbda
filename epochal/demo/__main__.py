"""``python -m epochal.demo FOLDER [--search]``: commit nn.py and show what happens until the email arrives.

The exit status is 0 only if the email arrived.
"""

import argparse
import queue
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path

from rich.console import Console

from epochal.app import App
from epochal.demo.display import building, display
from epochal.demo.mailbox import Mailbox, free_port
from epochal.demo.stage import Stage
from epochal.errors import EpochalError
from epochal.folders import Home, resource
from epochal.jobs.signals import Stopped, raise_on_signal
from epochal.pages.curve import draw_curves, load_curves
from epochal.records import Run
from epochal.runtimes.choice import choose_runtime
from epochal.settings import Environment, child_environment, read_server_settings
from epochal.store.outbox import message_of_run
from epochal.store.runs import runs_of_commit

_ENDED = object()
_REFRESH_SECONDS = 0.5

Events = queue.SimpleQueue[object]
"""A queue that receives the email when it arrives, and _ENDED when the server stops."""


def main() -> None:
    """Run the demo in the folder given on the command line, and exit with the demo's exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m epochal.demo", description="Commit a model, train it, and receive the email about it."
    )
    parser.add_argument("folder", type=Path, help="the folder for the demo's files")
    parser.add_argument(
        "--search", action="store_true", help="use a model that needs a hyperparameter search, not just more epochs"
    )
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
    console.print(stage.intro, markup=False)
    runtime = _prepare(stage, console)
    mailbox = Mailbox(events.put)
    gateway_port = free_port()
    stage.set_up(runtime, gateway_port, mailbox.port)
    with ExitStack() as stack:
        mailbox.start()
        stack.callback(mailbox.stop)
        stack.enter_context(_running_server(stage, events))
        console.print(f"Started epochal serve for {_short(stage.github)}.", markup=False)
        start = time.monotonic()
        console.print(f"\n$ git commit\n{stage.commit()}", markup=False)
        mail, run = _follow(stage, events, console)
        if mail is None or run is None:
            console.print(
                f"No email arrived. To find out why, see the server's log: {_short(stage.folder / 'serve.log')}",
                markup=False,
            )
            return 1
        console.rule(f"the email, {time.monotonic() - start:.0f} s after the commit")
        for name in ("From", "To", "Subject"):
            console.print(f"{name}: {mail[name]}", markup=False)
        body = mail.get_body(("plain",))
        console.print(f"\n{body.get_content().rstrip() if body else ''}\n", markup=False)
    _print_outcome(stage, run, console)
    return 0


def _print_outcome(stage: Stage, run: Run, console: Console) -> None:
    """Print the learning curve, the change to adopt, and the commands to try next."""
    folder = Home(stage.home).run(run.trained_by)
    if lines := draw_curves(load_curves(folder, run), run.threshold or 0, min(console.width, 100)):
        console.rule(f"validation accuracy (threshold: {run.threshold:g})")
        console.print("\n".join(lines), markup=False, soft_wrap=True)
    diff = folder.trial(run.best.number).diff if run.best else None
    if diff and diff.exists():
        console.rule("the change to adopt")
        for line in diff.read_text(encoding="utf-8").splitlines():
            console.print(line, markup=False, style={"+": "green", "-": "red"}.get(line[:1]))
        console.print("\nAdopt it:")
        _print_command(console, "git", "-C", _short(stage.developer), "apply", str(diff))
    console.print("\nSee where the time went:")
    epochal = _short(Path(sys.executable).parent / "epochal")
    _print_command(console, "env", f"EPOCHAL_HOME={_short(stage.home)}", epochal, "show", str(run.id), "--timeline")


def _print_command(console: Console, *words: str) -> None:
    # Let the terminal wrap the line: a line break that Rich put into it would end the command.
    console.print(f"    {shlex.join(words)}", markup=False, soft_wrap=True)


def _short(path: Path) -> str:
    """Return ``path``, relative to the current folder if it is inside that folder."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _environment(stage: Stage) -> Environment:
    return Environment.read().model_copy(update={"home": stage.home})


def _prepare(stage: Stage, console: Console) -> str:
    """Build the image or environment before the timed part of the demo, and return the runtime's name."""
    environment = _environment(stage)
    settings = read_server_settings(environment)
    with building(console) as log:
        runtime = choose_runtime(environment.runtime or "auto", stage.home, settings, environment.docker_host, log)
        try:
            runtime.prepare("keras", resource("ml_code"), log)
        except EpochalError as error:
            if runtime.name == "process" or environment.runtime:
                raise
            console.print(
                f"{error}\nThe image could not be built, so the demo trains in a plain process.", markup=False
            )
            runtime = choose_runtime("process", stage.home, settings, "", log)
            runtime.prepare("keras", resource("ml_code"), log)
    return runtime.name


@contextmanager
def _running_server(stage: Stage, events: Events) -> Iterator[None]:
    """Run ``epochal serve`` with the demo's EPOCHAL_HOME; yield once the gateway answers; stop the server on exit."""
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
            if line.startswith("watched:"):  # the last line printed at the start; the lines before it are for admins
                break
        threading.Thread(target=_report_end, args=(process, events), daemon=True).start()
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _report_end(process: "subprocess.Popen[str]", events: Events) -> None:
    process.wait()
    events.put(_ENDED)


def _follow(stage: Stage, events: Events, console: Console) -> tuple[EmailMessage | None, Run | None]:
    """Show the run until its email arrives or it is clear that none will.

    Return the email and the run; either may be None.
    """
    app = App.open(_environment(stage))
    with display(console, app.home) as shown:
        while True:
            event = None
            with suppress(queue.Empty):
                event = events.get(timeout=_REFRESH_SECONDS)
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
