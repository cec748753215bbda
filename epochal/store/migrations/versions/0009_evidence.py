"""Add columns for facts about the data behind a trial's accuracy, and for the number of looks at the test set.

Migrations import nothing from the schema, because they must not change when the schema does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns to the ``run_trials`` table.

    Nothing is known about the data of earlier trials, and each of them counts as one look at its test set.
    ``no_looks`` is no longer a reason: runs that have it get ``too_few_samples`` instead, and keep their explanations.
    """
    op.add_column("run_trials", sa.Column("test_rows", sa.LargeBinary))
    op.add_column("run_trials", sa.Column("looks", sa.Integer, nullable=False, server_default="1"))
    op.add_column("run_trials", sa.Column("evidence", sa.JSON))
    op.add_column("run_trials", sa.Column("caught", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute("UPDATE runs SET reason = 'too_few_samples' WHERE reason = 'no_looks'")
