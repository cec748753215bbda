"""The notices' rows: at least once, each with one Message-ID for good."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from epochal.store.schema import notices

_LEASE = timedelta(minutes=15)
"""A notice that was taken and not settled (its sender died) may be taken again after this long."""


class NoticeState(StrEnum):
    """Where a notice stands. UNADDRESSED: there was nobody to mail it to, and ``told`` says why."""

    PENDING = "pending"
    SENT = "sent"
    GIVEN_UP = "given_up"
    UNADDRESSED = "unaddressed"


@dataclass(frozen=True)
class Notice:
    """A mail about a run's end: its bytes (RFC 5322), who gets it, what came of it, and when it was sent."""

    run: int
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    message: bytes
    state: NoticeState = NoticeState.PENDING
    told: str = ""
    attempts: int = 0
    id: int = 0
    sent: datetime | None = None


def add(connection: Connection, notice: Notice) -> None:
    """Store a notice; a run has one at the most, and the first one stays."""
    if of_run(connection, notice.run):
        return
    values = {
        "run": notice.run,
        "message_id": notice.message_id,
        "sender": notice.sender,
        "recipients": list(notice.recipients),
        "message": notice.message,
        "state": notice.state.value,
        "told": notice.told,
        "created": datetime.now(UTC),
    }
    connection.execute(insert(notices).values(**values))


def take(connection: Connection, after: int) -> Notice | None:
    """Lease the oldest pending notice whose number is over ``after``."""
    moment = datetime.now(UTC)
    free = or_(notices.c.leased_until.is_(None), notices.c.leased_until < moment)
    pending = notices.c.state == NoticeState.PENDING.value, notices.c.id > after
    oldest = select(notices.c.id).where(*pending, free).order_by(notices.c.id).limit(1)
    row = connection.execute(
        update(notices)
        .where(notices.c.id == oldest.scalar_subquery())
        .values(leased_until=moment + _LEASE, attempts=notices.c.attempts + 1)
        .returning(notices)
    ).first()
    return _to_notice(row) if row else None


def settle(connection: Connection, notice: int, state: NoticeState, told: str) -> None:
    """End the lease."""
    sent = datetime.now(UTC) if state is NoticeState.SENT else None
    values = {"state": state.value, "told": told, "sent": sent, "leased_until": None}
    connection.execute(update(notices).where(notices.c.id == notice).values(**values))


def retry(connection: Connection) -> int:
    """Make what was given up pending again."""
    given_up = notices.c.state == NoticeState.GIVEN_UP.value
    return connection.execute(update(notices).where(given_up).values(state=NoticeState.PENDING.value)).rowcount


def of_run(connection: Connection, run: int) -> Notice | None:
    """The notice of a run."""
    row = connection.execute(select(notices).where(notices.c.run == run)).first()
    return _to_notice(row) if row else None


def _to_notice(row: Row[Any]) -> Notice:
    return Notice(
        run=row.run,
        message_id=row.message_id,
        sender=row.sender,
        recipients=tuple(row.recipients),
        message=row.message,
        state=NoticeState(row.state),
        told=row.told,
        attempts=row.attempts,
        id=row.id,
        sent=row.sent,
    )
