"""Add columns for a trial's strategy, owner and heartbeat, because several processes can run the trials of a search.

Migrations import nothing from the schema, because they must not change when the schema does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns to the ``run_trials`` table."""
    op.add_column("run_trials", sa.Column("strategy", sa.String(16), nullable=False, server_default="committed"))
    op.add_column("run_trials", sa.Column("owner", sa.Text))
    op.add_column("run_trials", sa.Column("heartbeat", sa.DateTime))
