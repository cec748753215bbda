"""Add a table that records when each run reached each step.

Migrations import nothing from the schema, because they must not change when the schema does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table ``moments``."""
    op.create_table(
        "moments",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("trial", sa.Integer),
        sa.Column("at", sa.DateTime, nullable=False),
    )
    op.create_index("moments_by_run", "moments", ["run"])
