"""Add columns for the test set that a trial's accuracy was measured on, and for the gate's judgement.

Migrations import nothing from the schema, because they must not change when the schema does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns to the table of trials."""
    op.add_column("run_trials", sa.Column("samples", sa.Integer))
    op.add_column("run_trials", sa.Column("test_set", sa.String(64)))
    op.add_column("run_trials", sa.Column("validates_on_test", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("run_trials", sa.Column("judgement", sa.JSON))
