"""What a trial is, and who trains it: in a search several processes do at a time.

Written out on purpose: a migration stays what it was when the schema moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("run_trials", sa.Column("strategy", sa.String(16), nullable=False, server_default="committed"))
    op.add_column("run_trials", sa.Column("owner", sa.Text))
    op.add_column("run_trials", sa.Column("heartbeat", sa.DateTime))
