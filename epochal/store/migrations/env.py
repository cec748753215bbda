"""Run the Alembic migrations on the connection that the store opened; Alembic's command line cannot use this script."""

from alembic import context

from epochal.store.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
