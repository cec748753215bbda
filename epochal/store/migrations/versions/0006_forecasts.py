"""What a trial's learning curve promises.

Written out on purpose: a migration stays what it was when the schema moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column."""
    op.add_column("run_trials", sa.Column("forecast", sa.JSON))
