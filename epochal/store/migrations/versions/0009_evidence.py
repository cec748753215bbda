"""What is known of the data behind an accuracy, and how often it was compared with its test set.

Written out on purpose: a migration stays what it was when the schema moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns; nothing is known of earlier trials, each of which was one look.

    The reason no_looks is gone: such a run keeps its explanation.
    """
    op.add_column("run_trials", sa.Column("test_rows", sa.LargeBinary))
    op.add_column("run_trials", sa.Column("looks", sa.Integer, nullable=False, server_default="1"))
    op.add_column("run_trials", sa.Column("evidence", sa.JSON))
    op.add_column("run_trials", sa.Column("caught", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute("UPDATE runs SET reason = 'too_few_samples' WHERE reason = 'no_looks'")
