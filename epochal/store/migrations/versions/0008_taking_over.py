"""What a run means, what the change that it offers would mean, and whose verdict it took over.

Written out on purpose: a migration stays what it was when the schema moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns; earlier runs have no meaning, so that nothing is taken over from them."""
    op.add_column("runs", sa.Column("meaning", sa.String(64)))
    op.add_column("runs", sa.Column("offered", sa.String(64)))
    op.add_column("runs", sa.Column("taken_over", sa.Integer))
    op.add_column("runs", sa.Column("taken_trial", sa.Integer))
    op.create_index("runs_by_meaning", "runs", ["meaning"])
    op.create_index("runs_by_offer", "runs", ["offered"])
