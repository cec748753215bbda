"""``epochal serve``: run the gateway and the chain, which share a database."""

import logging
import threading
from functools import partial
from typing import Annotated, Protocol

import typer

from epochal.app import App
from epochal.chains.embedded import EmbeddedChain
from epochal.chains.job_scripts import JobScripts
from epochal.commit import safe_url
from epochal.folders import resource
from epochal.gateway.listener import serve_app
from epochal.gateway.lock import server_lock
from epochal.gateway.polling import Poller, compare_heads
from epochal.gateway.secret import configured_secret, secret_file
from epochal.gateway.webhook import create_app
from epochal.jobs.plan import stop_orphaned_trainings
from epochal.messages.outbox import OUTBOX_PAUSE_SECONDS, drain_outbox
from epochal.records import AcceptedCommit, Commit, Log, Origin
from epochal.settings import Environment, WatchedRepository
from epochal.store.database import Database
from epochal.store.deliveries import accept_commit, ignore_delivery, list_deliveries
from epochal.store.runs import last_pushed_commit

_log = logging.getLogger("epochal.serve")


def serve(
    poll: Annotated[
        float | None,
        typer.Option(
            min=1,
            metavar="SECONDS",
            help="Also poll the watched repositories for new commits at this interval, so that no webhook is needed.",
        ),
    ] = None,
) -> None:
    """Run the gateway and the chain until stopped."""
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.INFO, datefmt="%H:%M:%S")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    run_server(Environment.read(), poll, typer.echo)


class Chain(Protocol):
    """The component that runs the jobs of each run in the database: either the embedded chain or the Jenkins chain."""

    def start(self) -> None:
        """Start the chain, and continue the runs that an earlier process left unfinished."""

    def wake(self) -> None:
        """Make the chain look in the database for runs to work on."""

    def interrupt(self, owner: str) -> None:
        """Tell ``owner``, the process that is working on a run, to check whether the run has to stop."""

    def stop(self) -> None:
        """Stop the chain. Unfinished runs remain in the database."""


class StoredIntake:
    """An intake that stores each push as a run in the database and wakes the chain.

    ``supersede``: which of a branch's older runs a push supersedes; the setting of that name in server.toml.
    """

    def __init__(self, database: Database, supersede: str, chain: Chain) -> None:
        self._database = database
        self._supersede = supersede
        self._chain = chain

    def accept(self, delivery: str, event: str, commit: Commit) -> AcceptedCommit:
        """Store a delivery and its run in one transaction. A repeated delivery does not start a second run."""
        return self._store(commit, (delivery, event))

    def store_ignored(self, delivery: str, event: str, result: str) -> None:
        """Store a delivery that starts no run; ``result`` is the reason."""
        ignore_delivery(self._database, delivery, event, result)

    def accept_head(self, watched: WatchedRepository, branch: str, sha: str) -> None:
        """Store a run for ``sha``, the commit at the head of ``branch``, unless a push has already started one."""
        accepted = self._store(Commit(watched.url, branch, sha), None)
        if accepted.new:
            shown = safe_url(watched.url)
            _log.info(
                "%s %s: no webhook delivery arrived for commit %s, which has been queued as run %s",
                shown,
                branch,
                sha[:7],
                accepted.run,
            )

    def _store(self, commit: Commit, delivery: tuple[str, str] | None) -> AcceptedCommit:
        accepted = accept_commit(self._database, commit, Origin.PUSH, delivery=delivery, supersede=self._supersede)
        for owner in accepted.superseded_owners:
            self._chain.interrupt(owner)
        self._chain.wake()
        return accepted


def run_server(environment: Environment, poll: float | None, log: Log) -> None:
    """Run the gateway and the chain until SIGINT or SIGTERM.

    ``poll`` is the number of seconds between polls of the watched repositories, or None to poll only once, at the
    start. ``log`` prints a line for the admin. Raises UsageError if another server is running for EPOCHAL_HOME or if
    the gateway cannot listen on its address, and SettingsError if the settings are wrong.
    """
    environment.create_home()
    with server_lock(environment.home):
        app = App.open(environment)
        secret, generated = configured_secret(app.environment, app.settings)
        chain = _create_chain(app)
        intake = StoredIntake(app.database, app.settings.supersede, chain)
        gateway = create_app(secret, app.settings.repository, intake)
        chain.start()
        ended = threading.Event()
        watched, last_commit = app.settings.repository, partial(last_pushed_commit, app.database)
        threads = [
            # Webhooks that were sent during downtime are lost, so compare each branch's head with its last run.
            threading.Thread(target=compare_heads, args=(watched, last_commit, intake.accept_head), daemon=True),
            threading.Thread(target=_send_mail, args=(app, ended), daemon=True),
        ]
        if app.settings.chain == "embedded":  # With Jenkins, trials run, and may be orphaned, on the agents.
            threads.append(threading.Thread(target=stop_orphaned_trainings, args=(app,), daemon=True))
        for thread in threads:
            thread.start()
        poller = Poller(watched, poll, last_commit, intake.accept_head) if poll else None
        if poller:
            poller.start()
        try:
            host, port = app.settings.gateway.host, app.settings.gateway.port
            serve_app(gateway, host, port, lambda address: _log_address(app, address, generated, log))
        finally:
            ended.set()
            if poller:
                poller.stop()
            chain.stop()
            app.database.close()


def _create_chain(app: App) -> Chain:
    if app.settings.chain == "jenkins":
        from epochal.chains.jenkins.chain import JenkinsChain
        from epochal.chains.jenkins.client import JenkinsClient

        return JenkinsChain(app, JenkinsClient.open(app.environment, app.settings.jenkins))
    return EmbeddedChain(app, JobScripts(app.environment, resource("scripts")), app.settings.parallel)


def _log_address(app: App, address: str, generated: bool, log: Log) -> None:
    where = f"the contents of {secret_file(app.environment.home, app.settings.gateway.secret_file)}"
    if app.environment.webhook_secret:
        where = "the value of EPOCHAL_WEBHOOK_SECRET, or the contents of the file named by EPOCHAL_WEBHOOK_SECRET_FILE"
    log(f"gateway: {address}/webhook")
    if generated or not list_deliveries(app.database, limit=1):
        log("Add a webhook on GitHub (Settings, Webhooks, Add webhook):")
        log(f"  Payload URL   a public address that forwards to {address}/webhook; to get one, run epochal tunnel")
        log("  Content type  application/json")
        log(f"  Secret        {where}")
        log("  Events        just the push event")
    for watched in app.settings.repository:
        log(f"watched: {safe_url(watched.url)} ({', '.join(watched.branches)})")
    if not app.settings.repository:
        log("watched: no repositories yet; run epochal watch URL, then restart epochal serve")


def _send_mail(app: App, ended: threading.Event) -> None:
    pause = 0.0
    while not ended.wait(pause):
        drain_outbox(app, _log.info)
        pause = OUTBOX_PAUSE_SECONDS
