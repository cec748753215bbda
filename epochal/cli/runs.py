"""Runs: ``run`` one in the foreground, look at them with ``history`` and ``show``, ``cancel`` one."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from epochal.settings import Environment

_Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to standard output.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("run")(run)
    app.command("history")(history)
    app.command("show")(show)
    app.command("retrain")(retrain)
    app.command("cancel")(cancel)


def run(
    repository: Annotated[str, typer.Argument(metavar="[DIR|URL]", help="The repository of nn.py.")] = ".",
    commit: Annotated[str | None, typer.Option(help="The commit; the newest one if not given.")] = None,
    branch: Annotated[str | None, typer.Option(help="The branch; the one that is checked out, or main.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Instead of epochal.toml's (0 to 1).")] = None,
    runtime: Annotated[
        Literal["docker", "process", "auto"] | None,
        typer.Option(help="Where to train; auto if server.toml does not say."),
    ] = None,
    no_mail: Annotated[bool, typer.Option("--no-mail", help="Tell nobody.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Train even where an earlier run's verdict could be taken over.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Send one commit through the chain in the foreground: no server, no webhook."""
    from epochal.foreground import Request, run_in_foreground
    from epochal.pages.view import run_view

    request = Request(repository, commit, branch, threshold, runtime, no_mail, force)
    ended, status, folder = run_in_foreground(Environment.read(), request, quiet=as_json)
    if as_json:
        typer.echo(json.dumps(run_view(ended, folder), ensure_ascii=False))
    else:
        typer.echo(f"epochal show {ended.id} tells more; everything is in {folder}")
    raise typer.Exit(status)


def history(
    most: Annotated[int, typer.Option(min=1, max=2**31, help="How many runs, the newest first.")] = 20,
    as_json: _Json = False,
) -> None:
    """The runs of this home, newest first."""
    from epochal.jobs.job import Job
    from epochal.pages.view import history_line, run_view

    job = Job.open(Environment.read())
    found = job.store.history(most)
    if as_json:
        typer.echo(json.dumps([run_view(run, job.home.run(run.id).path) for run in found], ensure_ascii=False))
        return
    for run in found:
        typer.echo(history_line(run))
    if not found:
        typer.echo("no runs yet: epochal run trains a commit, epochal serve waits for pushes")


def show(
    number: Annotated[
        int, typer.Argument(metavar="RUN", min=1, max=2**31, help="The run's number, as history has it.")
    ],
    timeline: Annotated[bool, typer.Option("--timeline", help="When, and where the time went.")] = False,
    as_json: _Json = False,
) -> None:
    """What happened in a run."""
    from epochal.jobs.job import Job
    from epochal.pages.timeline import moments_of
    from epochal.pages.view import run_lines, run_view, timeline_lines, timeline_view

    job = Job.open(Environment.read())
    found = job.store.run(number)
    folder: Path = job.home.run(number).path
    if timeline:
        moments = moments_of(job, found)
        view, lines = timeline_view(found, moments), timeline_lines(moments)
    else:
        view, lines = run_view(found, folder), run_lines(found, folder, job.store.notice(number))
    if as_json:
        typer.echo(json.dumps(view, ensure_ascii=False))
        return
    for line in lines:
        typer.echo(line)


def retrain(
    number: Annotated[int, typer.Argument(metavar="RUN", min=1, max=2**31, help="The run's number.")],
    join: Annotated[
        bool, typer.Option("--join", help="Train trials of the search that another process conducts, until it is over.")
    ] = False,
) -> None:
    """Do job retrain of a run here, or join its search from another agent, shell or machine of the same home."""
    from epochal.jobs.runner import join_search, run_job

    environment = Environment.read().model_copy(update={"run": number})
    raise typer.Exit(join_search(environment) if join else run_job("retrain", environment))


def cancel(number: Annotated[int, typer.Argument(metavar="RUN", min=1, max=2**31, help="The run's number.")]) -> None:
    """End a run that has not ended yet: its training is stopped, nobody is mailed."""
    from epochal.jobs.job import Job
    from epochal.records import State
    from epochal.store.owner import signal_owner

    job = Job.open(Environment.read())
    owner = job.store.request_stop(number, State.CANCELLED)
    if owner and job.store.dispatch(number) is None:  # the gateway stops Jenkins' builds, which then end ABORTED
        signal_owner(owner)
    typer.echo(f"run {number} is cancelled" + (": its job puts things away now" if owner else ""))
