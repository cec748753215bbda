"""Add columns for a run's fingerprints and for the run and trial whose verdict it reuses.

Migrations import nothing from the schema, because they must not change when the schema does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add columns and indexes to the ``runs`` table. Earlier runs get no fingerprint, so their verdicts are not reused."""
    op.add_column("runs", sa.Column("meaning", sa.String(64)))
    op.add_column("runs", sa.Column("offered", sa.String(64)))
    op.add_column("runs", sa.Column("taken_over", sa.Integer))
    op.add_column("runs", sa.Column("taken_trial", sa.Integer))
    op.create_index("runs_by_meaning", "runs", ["meaning"])
    op.create_index("runs_by_offer", "runs", ["offered"])
