"""Add a column for the forecast from a trial's learning curve.

Migrations import nothing from the schema, because they must not change when the schema does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column to the table of trials."""
    op.add_column("run_trials", sa.Column("forecast", sa.JSON))
