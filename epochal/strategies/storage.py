"""Where Optuna keeps its studies: a file of its own beside SQLite, a schema of its own in PostgreSQL.

Its tables cannot stand beside ours: it takes a table ``alembic_version`` for its own.
"""

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

_SCHEMA = "optuna"


def storage_url(database: str, of_home: str) -> str:
    """The URL of Optuna's storage: ``of_home``, or in the PostgreSQL ``database``, whose schema is made if it is missing.

    ``database``: the server's own URL; empty: SQLite in its home. Raises SQLAlchemyError where it does not answer.
    """
    if not database.startswith("postgresql"):
        return of_home
    _make_schema(database)
    url = make_url(database).update_query_dict({"options": f"-csearch_path={_SCHEMA}"})
    return url.render_as_string(hide_password=False)


def _make_schema(database: str) -> None:
    engine = create_engine(database)
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}"))
    except (IntegrityError, ProgrammingError):
        pass  # another process made it at the same moment: PostgreSQL's IF NOT EXISTS is not atomic
    finally:
        engine.dispose()
