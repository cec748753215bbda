"""Add columns for a trial's validation accuracy, the checkpoint that it resumed from, and what stopped it early.

Migrations import nothing from the schema, because they must not change when the schema does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns to the table of trials."""
    op.add_column("run_trials", sa.Column("epochs_continued", sa.Integer, nullable=False, server_default="0"))
    op.add_column("run_trials", sa.Column("continuation", sa.Text, nullable=False, server_default=""))
    op.add_column("run_trials", sa.Column("validation_accuracy", sa.Float))
    op.add_column("run_trials", sa.Column("stopped_by", sa.String(16)))
