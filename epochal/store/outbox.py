"""The messages' rows: at least once, each with one Message-ID for good."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, insert, or_, select, update

from epochal.records import Message, MessageState
from epochal.store.database import reads, writes
from epochal.store.rows import read_row
from epochal.store.schema import messages

_LEASE = timedelta(minutes=15)
"""A message that was taken and not settled (its sender died) may be taken again after this long."""


@writes
def add_message(connection: Connection, message: Message) -> None:
    """Store a message; a run has one at the most, and the first one stays."""
    if message_of_run(connection, message.run) is None:
        columns = {name: value for name, value in asdict(message).items() if name != "id"}
        connection.execute(insert(messages).values(**columns, created=datetime.now(UTC)))


@writes
def take_message(connection: Connection, after: int = 0) -> Message | None:
    """Lease the oldest pending message numbered over ``after``, kept from others for some minutes; None if there is none."""
    moment = datetime.now(UTC)
    free = or_(messages.c.leased_until.is_(None), messages.c.leased_until < moment)
    pending = messages.c.state == MessageState.PENDING, messages.c.id > after
    oldest = select(messages.c.id).where(*pending, free).order_by(messages.c.id).limit(1)
    row = connection.execute(
        update(messages)
        .where(messages.c.id == oldest.scalar_subquery())
        .values(leased_until=moment + _LEASE, attempts=messages.c.attempts + 1)
        .returning(messages)
    ).first()
    return read_row(Message, row) if row else None


@writes
def settle_message(connection: Connection, message: int, state: MessageState, outcome: str) -> None:
    """End the lease of a message: it is SENT, PENDING (try again later) or GIVEN_UP, with an ``outcome`` to show."""
    sent = datetime.now(UTC) if state is MessageState.SENT else None
    columns = {"state": state, "outcome": outcome, "sent": sent, "leased_until": None}
    connection.execute(update(messages).where(messages.c.id == message).values(**columns))


@writes
def retry_messages(connection: Connection) -> int:
    """Make the given-up messages pending again; returns how many there were."""
    given_up = messages.c.state == MessageState.GIVEN_UP
    return connection.execute(update(messages).where(given_up).values(state=MessageState.PENDING)).rowcount


@reads
def message_of_run(connection: Connection, run: int) -> Message | None:
    """Return the message about a run's end; None if it has none (yet)."""
    row = connection.execute(select(messages).where(messages.c.run == run)).first()
    return read_row(Message, row) if row else None
