"""Add a table with the last job that Jenkins was asked to start for each run.

Migrations import nothing from the schema, because they must not change when the schema does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table of dispatches."""
    op.create_table(
        "dispatches",
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("item", sa.Integer),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("requested", sa.DateTime, nullable=False),
    )
