"""The database's tables. Alembic's migrations bring a database here; a test holds the two together."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
    text,
)

VERSION_TABLE = "epochal_version"
HEAD = "0009"
"""The newest migration: a database at this version is opened without Alembic (whose import costs a tenth of a second)."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: SQLite has no time zones, so they are taken off on the way in and put back on the way out."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """An aware moment as a naive one in UTC."""
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """A naive moment in UTC as an aware one."""
        return value.replace(tzinfo=UTC) if value is not None else None


metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("repository", Text, nullable=False),
    Column("branch", Text, nullable=False),
    Column("sha", String(64), nullable=False),
    Column("message", Text, nullable=False, server_default=""),
    Column("author_name", Text, nullable=False, server_default=""),
    Column("author_email", Text, nullable=False, server_default=""),
    Column("origin", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("started", UtcDateTime),
    Column("ended", UtcDateTime),
    Column("reason", String(32)),
    Column("explanation", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Column("framework", String(16)),
    Column("framework_why", Text, nullable=False, server_default=""),
    Column("runtime", String(16)),
    Column("image", Text),
    Column("threshold", Float),
    Column("build_url", Text),
    Column("successor", Integer),
    Column("notes", JSON, nullable=False, server_default="[]"),
    Column("owner", Text),
    Column("heartbeat", UtcDateTime),
    Column("stop_requested", String(16)),
    Column("meaning", String(64)),
    Column("offered", String(64)),
    Column("taken_over", Integer),
    Column("taken_trial", Integer),
    sqlite_autoincrement=True,
)
Index("runs_by_branch", runs.c.repository, runs.c.branch, runs.c.id)
Index("runs_by_state", runs.c.state)
Index("runs_by_meaning", runs.c.meaning)
Index("runs_by_offer", runs.c.offered)
# A repository, branch and commit that a push started is one run; a person may ask for the same commit again.
Index(
    "one_run_a_push",
    runs.c.repository,
    runs.c.branch,
    runs.c.sha,
    unique=True,
    sqlite_where=text("origin = 'push'"),
    postgresql_where=text("origin = 'push'"),
)

trials = Table(
    "run_trials",  # Optuna has a table `trials` and fails beside another one of that name
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("hyperparameters", JSON, nullable=False),
    Column("epochs_trained", Integer),
    Column("accuracy", Float),
    Column("accuracy_source", String(16)),
    Column("seconds", Float),
    Column("reason", String(32)),
    Column("explanation", Text, nullable=False, server_default=""),
    Column("epochs_continued", Integer, nullable=False, server_default="0"),
    Column("continuation", Text, nullable=False, server_default=""),
    Column("validation_accuracy", Float),
    Column("stopped_by", String(16)),
    Column("strategy", String(16), nullable=False, server_default="committed"),
    Column("owner", Text),
    Column("heartbeat", UtcDateTime),
    Column("forecast", JSON(none_as_null=True)),
    Column("samples", Integer),
    Column("test_set", String(64)),
    Column("test_rows", LargeBinary),
    Column("looks", Integer, nullable=False, server_default="1"),
    Column("evidence", JSON(none_as_null=True)),
    Column("caught", Boolean, nullable=False, server_default=false()),
    Column("validates_on_test", Boolean, nullable=False, server_default=false()),
    Column("judgement", JSON(none_as_null=True)),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("event", String(64), nullable=False),
    Column("received", UtcDateTime, nullable=False),
    Column("result", Text, nullable=False),
    Column("run", ForeignKey("runs.id")),
)

notices = Table(
    "notices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False, unique=True),
    Column("message_id", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("recipients", JSON, nullable=False),
    Column("message", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("told", Text, nullable=False, server_default=""),
    Column("created", UtcDateTime, nullable=False),
    Column("sent", UtcDateTime),
    Column("leased_until", UtcDateTime),
)

dispatches = Table(
    "dispatches",
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("job", Text, nullable=False),
    Column("item", Integer),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("requested", UtcDateTime, nullable=False),
)

moments = Table(
    "moments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("name", String(32), nullable=False),
    Column("trial", Integer),
    Column("at", UtcDateTime, nullable=False),
)
Index("moments_by_run", moments.c.run)
