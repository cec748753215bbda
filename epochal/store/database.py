"""Open the database of an EPOCHAL_HOME (SQLite or PostgreSQL) and run functions on it as transactions."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from epochal.errors import EpochalError, SettingsError
from epochal.store.errors import CommitLost, DatabaseUnavailable
from epochal.store.retry import CONNECTION_ERRORS, RetryPolicy
from epochal.store.schema import HEAD, VERSION_TABLE

BUSY_MILLISECONDS = 30_000
"""How long SQLite itself waits for another process's transaction to end."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Database:
    """The database of an EPOCHAL_HOME; safe to use from several threads and processes.

    The functions in ``epochal.store`` take a Database as their first argument; each call is one transaction.
    """

    def __init__(self, url: str, retry_policy: RetryPolicy | None = None) -> None:
        """Open the database and upgrade it to the latest schema version.

        ``retry_policy`` says how long to wait if the database does not answer; by default, not at all. Raises
        SettingsError if the database cannot be opened or does not answer in time, and EpochalError if it was written by
        a newer version of Epochal.
        """
        self.retry_policy = retry_policy or RetryPolicy()
        self.engine = _open_engine(url)
        try:
            self.retry_policy.run(lambda: _migrate(self.engine))
        except DatabaseUnavailable as error:
            shown = self.engine.url.render_as_string(hide_password=True)
            raise SettingsError(f"database: {shown} cannot be opened: {error}.") from None

    def close(self) -> None:
        """Close the connections to the database."""
        self.engine.dispose()


Function = Callable[Concatenate[Connection, _P], _T]
Transaction = Callable[Concatenate[Database | Connection, _P], _T]


def reads(function: Function[_P, _T]) -> Transaction[_P, _T]:
    """Decorate a function that reads from a connection, so that it takes a ``Database`` and runs as one transaction.

    If the database does not answer, the transaction is retried or an exception is raised: see ``RetryPolicy.run``. A
    call with a connection instead of a ``Database`` becomes part of that connection's transaction.
    """
    return _in_transaction(function, Engine.connect)


def writes(function: Function[_P, _T]) -> Transaction[_P, _T]:
    """Decorate a function that writes through a connection, just as ``reads`` decorates a function that reads."""
    return _in_transaction(function, _write_transaction)


def writes_at_once(function: Function[_P, _T]) -> Transaction[_P, _T]:
    """Decorate a function as ``writes`` does, but raise DatabaseUnavailable at once if the database does not answer."""
    return _in_transaction(function, _write_transaction, RetryPolicy())


def _in_transaction(
    function: Function[_P, _T],
    begin: Callable[[Engine], AbstractContextManager[Connection]],
    retry_policy: RetryPolicy | None = None,
) -> Transaction[_P, _T]:
    """Wrap ``function`` in a transaction that ``begin`` opens; ``retry_policy`` defaults to the database's."""

    @wraps(function)
    def wrapper(source: Database | Connection, /, *arguments: _P.args, **named: _P.kwargs) -> _T:
        if isinstance(source, Connection):
            return function(source, *arguments, **named)

        def transaction() -> _T:
            with begin(source.engine) as connection:
                return function(connection, *arguments, **named)

        return (retry_policy or source.retry_policy).run(transaction)

    return wrapper


def _open_engine(url: str) -> Engine:
    """Return an engine for ``url``. Raises SettingsError if SQLAlchemy cannot use it."""
    try:
        parsed = make_url(url)
        engine = create_engine(parsed, pool_pre_ping=not url.startswith("sqlite"))
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise SettingsError(f"database: SQLAlchemy cannot use this URL: {error}.") from None
    if parsed.get_backend_name() != "sqlite":
        return engine
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # turns off pysqlite's own BEGIN, which comes too late; _begin sends one
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads and then writes fails immediately if another one has written in between (SQLITE_BUSY,
        # see sqlite.org/lang_transaction.html). So a transaction that will write takes the lock at its start.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def _write_transaction(engine: Engine) -> Iterator[Connection]:
    """Open a write transaction; commit it at the end of the block, or roll it back after an exception.

    Raises CommitLost if the connection is lost during the commit.
    """
    with engine.connect().execution_options(writes=True) as connection, connection.begin() as transaction:
        yield connection
        try:
            transaction.commit()
        except CONNECTION_ERRORS as error:
            raise CommitLost(f"the connection to the database was lost during a commit: {error.orig}") from error


def _migrate(engine: Engine) -> None:
    """Upgrade the database to the latest schema version. Raises EpochalError if a newer version of Epochal wrote it."""
    with engine.connect() as connection:
        if _version(connection) == HEAD:
            return
    # Alembic is imported only if needed, because the import would slow down every command and job.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with _write_transaction(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('epochal migration'))"))
        current = _version(connection)
        known = {script.revision for script in ScriptDirectory.from_config(configuration).walk_revisions()}
        if current is not None and current not in known:
            raise EpochalError(
                f"The database was written by a newer version of Epochal (schema {current}). "
                "Upgrade Epochal, or use another EPOCHAL_HOME."
            )
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 (our constant)
