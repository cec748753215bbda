"""What a trial went on from, how far its validation got, and what ended it early.

Written out on purpose: a migration stays what it was when the schema moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("run_trials", sa.Column("epochs_continued", sa.Integer, nullable=False, server_default="0"))
    op.add_column("run_trials", sa.Column("continuation", sa.Text, nullable=False, server_default=""))
    op.add_column("run_trials", sa.Column("validation_accuracy", sa.Float))
    op.add_column("run_trials", sa.Column("stopped_by", sa.String(16)))
