"""Read and write the outbox, the table of messages. A message may be sent twice, but always has the same Message-ID."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, insert, or_, select, update

from epochal.records import Message, MessageState
from epochal.store.database import reads, writes
from epochal.store.rows import read_row
from epochal.store.schema import messages

_LEASE = timedelta(minutes=15)
"""How long a lease lasts. After that, a message whose sender died before releasing it may be taken again."""


@writes
def add_message(connection: Connection, message: Message) -> None:
    """Store a message, unless its run already has a message."""
    if message_of_run(connection, message.run) is None:
        columns = {name: value for name, value in asdict(message).items() if name != "id"}
        connection.execute(insert(messages).values(**columns, created=datetime.now(UTC)))


@writes
def take_message(connection: Connection, after: int = 0) -> Message | None:
    """Lease and return the oldest pending message with an ID above ``after``, or None if there is no such message.

    Taking it counts as an attempt to send it. It cannot be taken again until it is released or its lease has expired.
    """
    now = datetime.now(UTC)
    free = or_(messages.c.leased_until.is_(None), messages.c.leased_until < now)
    pending = messages.c.state == MessageState.PENDING, messages.c.id > after
    oldest = select(messages.c.id).where(*pending, free).order_by(messages.c.id).limit(1)
    oldest = oldest.with_for_update(skip_locked=True)  # in PostgreSQL, another process may be taking it right now
    row = connection.execute(
        update(messages)
        .where(messages.c.id == oldest.scalar_subquery())
        .values(leased_until=now + _LEASE, attempts=messages.c.attempts + 1)
        .returning(messages)
    ).first()
    return read_row(Message, row) if row else None


@writes
def release_message(connection: Connection, message: int, state: MessageState, outcome: str) -> None:
    """End the lease on a message, and store its state and its ``outcome``, which says what happened.

    ``state`` is SENT, PENDING (to be sent later) or GIVEN_UP.
    """
    sent = datetime.now(UTC) if state is MessageState.SENT else None
    columns = {"state": state, "outcome": outcome, "sent": sent, "leased_until": None}
    connection.execute(update(messages).where(messages.c.id == message).values(**columns))


@writes
def retry_messages(connection: Connection) -> int:
    """Mark all messages that Epochal has given up on as pending again, and return how many there were."""
    given_up = messages.c.state == MessageState.GIVEN_UP
    return connection.execute(update(messages).where(given_up).values(state=MessageState.PENDING)).rowcount


@reads
def message_of_run(connection: Connection, run: int) -> Message | None:
    """Return the message about the end of a run, or None if there is no such message yet."""
    row = connection.execute(select(messages).where(messages.c.run == run)).first()
    return read_row(Message, row) if row else None
