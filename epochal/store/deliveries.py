"""Store deliveries and the runs that they start, and supersede older runs."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, literal, or_, select, update

from epochal.errors import Reason
from epochal.records import AcceptedCommit, Commit, Delivery, Origin, Run, State
from epochal.store.database import Database, reads, writes
from epochal.store.owner import live_owner
from epochal.store.rows import read_row
from epochal.store.schema import deliveries, runs
from epochal.store.transitions import UNFINISHED_STATES, change_run, end_run


def accept_commit(
    source: Database | Connection,
    commit: Commit,
    origin: Origin,
    *,
    delivery: tuple[str, str] | None = None,
    supersede: str,
) -> AcceptedCommit:
    """Store a run for ``commit`` and the delivery that reported it; return the run and the owners of the runs to stop.

    ``delivery``: the ID and event of the webhook request; None if polling, Jenkins or a person reported the commit.
    A person's request always starts a new run. A push reuses the run, if any, that an earlier push of the same commit
    to the same branch started; if that run was superseded and there is a delivery, it is queued again and counts as
    new.

    A new run started by a push supersedes older runs started by pushes to the same branch. Queued runs without a live
    owner end at once. With ``supersede = "running"``, runs in later states without a live owner end at once, too, and
    runs with a live owner are asked to stop. Among the runs of projects, only queued ones are superseded here;
    ``split_run`` supersedes the others if the push changes their project.
    """
    received = datetime.now(UTC)  # taken before the transaction, which may have to wait for another one
    return _accept(source, commit, origin, delivery, supersede, received)


@writes
def _accept(
    connection: Connection,
    commit: Commit,
    origin: Origin,
    delivery: tuple[str, str] | None,
    supersede: str,
    received: datetime,
) -> AcceptedCommit:
    if delivery:
        earlier_run = connection.execute(select(deliveries.c.run).where(deliveries.c.id == delivery[0])).scalar()
        if earlier_run is not None:
            return AcceptedCommit(earlier_run, new=False)
    run, new = _find_run(connection, commit, delivered=delivery is not None) if origin is Origin.PUSH else (None, True)
    if run is None:
        run = _insert_run(connection, commit, origin)
    if delivery:
        _store_delivery(connection, delivery, received, "queued" if new else "already known", run)
    owners = _supersede_older(connection, commit, run, supersede) if new and origin is Origin.PUSH else ()
    return AcceptedCommit(run, new=new, superseded_owners=owners)


def _insert_run(connection: Connection, commit: Commit, origin: Origin, **columns: str) -> int:
    row = asdict(commit) | {"origin": origin, "state": State.QUEUED, "created": datetime.now(UTC), "notes": ()}
    return int(connection.execute(insert(runs).values(**row | columns).returning(runs.c.id)).scalar_one())


def _find_run(connection: Connection, commit: Commit, delivered: bool) -> tuple[int | None, bool]:
    """Return the run that an earlier push of the commit started, or None, and whether the run counts as new.

    ``delivered``: whether a delivery reported the commit. If one did and the run was superseded, a force push has
    restored the commit, so the run is queued again.
    """
    same = runs.c.repository == commit.repository, runs.c.branch == commit.branch, runs.c.sha == commit.sha
    pushed = select(runs.c.id).where(*same, runs.c.origin == Origin.PUSH)
    run = connection.execute(pushed.order_by(runs.c.id).limit(1)).scalar()  # any others train other projects
    if run is None:
        return None, True
    if commit.author_email:  # polling sees only the hash, so a run that it started lacks these
        known = {"message": commit.message, "author_name": commit.author_name, "author_email": commit.author_email}
        connection.execute(update(runs).where(runs.c.id == run, runs.c.author_email == "").values(**known))
    if not delivered:
        return run, False
    cleared = {"reason": None, "successor": None, "ended": None, "stop_requested": None, "owner": None}
    superseded = update(runs).where(runs.c.id == run, runs.c.state == State.SUPERSEDED)
    return run, connection.execute(superseded.values(state=State.QUEUED, **cleared)).rowcount > 0


@writes
def split_run(connection: Connection, run: Run, trees: Mapping[str, str], supersede: str) -> dict[str, AcceptedCommit]:
    """Make ``run`` the run of the first project that its push changed; queue runs for the other changed projects.

    ``trees``: the git object ID of each project's folder, by the project's path. A project has changed if that ID
    differs from the one stored for the project's last run. Superseded runs, and runs not started by earlier pushes to
    the branch, are ignored. Each run supersedes older runs of its project as described for ``accept_commit``. Returns
    an accepted commit for each changed project, in the order of ``trees``. Raises NotOwner if the calling process does
    not own ``run``.
    """
    same = runs.c.repository == run.commit.repository, runs.c.branch == run.commit.branch
    pushed = runs.c.origin == Origin.PUSH, runs.c.id < run.id, runs.c.state != State.SUPERSEDED
    accepted: dict[str, AcceptedCommit] = {}
    for project, tree in trees.items():
        last = select(runs.c.tree).where(*same, *pushed, runs.c.project == project).order_by(runs.c.id.desc()).limit(1)
        if connection.execute(last).scalar() == tree:
            continue
        commit = replace(run.commit, project=project)
        if accepted:
            number = _insert_run(connection, commit, Origin.PUSH, tree=tree)
        else:
            number = run.id
            change_run(connection, number, project=project, tree=tree)
        owners = _supersede_older(connection, commit, number, supersede)
        accepted[project] = AcceptedCommit(number, new=True, superseded_owners=owners)
    return accepted


@writes
def ignore_delivery(connection: Connection, delivery: str, event: str, result: str) -> None:
    """Store a delivery that starts no run, and the reason (``result``).

    An earlier delivery with the same ID is replaced, unless it started a run.
    """
    started = deliveries.c.id == delivery, deliveries.c.run.is_not(None)
    if connection.execute(select(deliveries.c.id).where(*started)).first() is None:
        _store_delivery(connection, (delivery, event), datetime.now(UTC), result, None)


@reads
def list_deliveries(connection: Connection, limit: int = 20) -> list[Delivery]:
    """Return the ``limit`` most recent deliveries, newest first."""
    rows = connection.execute(select(deliveries).order_by(deliveries.c.received.desc()).limit(limit))
    return [read_row(Delivery, row) for row in rows]


@reads
def deliveries_of_run(connection: Connection, run: int) -> list[Delivery]:
    """Return the deliveries that led to a run, oldest first."""
    rows = connection.execute(select(deliveries).where(deliveries.c.run == run).order_by(deliveries.c.received))
    return [read_row(Delivery, row) for row in rows]


def _store_delivery(
    connection: Connection, delivery: tuple[str, str], received: datetime, result: str, run: int | None
) -> None:
    """Store a delivery (its ID and event) and its result, replacing an earlier delivery with the same ID."""
    connection.execute(delete(deliveries).where(deliveries.c.id == delivery[0]))
    row = {"id": delivery[0], "event": delivery[1], "received": received, "result": result, "run": run}
    connection.execute(insert(deliveries).values(**row))


def _supersede_older(connection: Connection, commit: Commit, successor: int, supersede: str) -> tuple[str, ...]:
    """Supersede older runs from pushes to the branch and project of ``successor``; return the owners of runs to stop.

    A successor without a project also supersedes the queued runs of all projects. Queued runs without a live owner end
    at once. With ``supersede = "running"``, runs in later states without a live owner also end at once, and runs with a
    live owner are asked to stop.
    """
    # A push that has not yet been split will queue the projects of superseded runs again.
    unsplit = literal(commit.project == "")
    older = connection.execute(
        select(runs.c.id, runs.c.state, runs.c.owner, runs.c.heartbeat, runs.c.stop_requested).where(
            runs.c.repository == commit.repository,
            runs.c.branch == commit.branch,
            or_(runs.c.project == commit.project, unsplit & (runs.c.state == State.QUEUED)),
            runs.c.origin == Origin.PUSH,
            runs.c.id < successor,
            runs.c.state.in_(UNFINISHED_STATES),
        )
    ).all()
    stop = []
    for row in older:
        owner = live_owner(row.owner, row.heartbeat)
        if supersede == "running" and owner:
            requested = row.stop_requested or State.SUPERSEDED  # an earlier request takes precedence
            changed = {"stop_requested": requested, "successor": successor}
            connection.execute(update(runs).where(runs.c.id == row.id).values(**changed))
            stop.append(owner)
        elif not owner and (row.state is State.QUEUED or supersede == "running"):
            reason, ended = Reason.SUPERSEDED, datetime.now(UTC)
            end_run(
                connection,
                row.id,
                row.owner,
                State.SUPERSEDED,
                reason=reason,
                explanation=reason.explanation,
                successor=successor,
                ended=ended,
            )
    return tuple(stop)
