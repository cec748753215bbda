"""Add columns for a run's project, the git object ID of the project's folder, and the path of the script.

Migrations import nothing from the schema, because they must not change when the schema does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns to the ``runs`` table. Earlier runs used nn.py at the top level of the repository."""
    op.add_column("runs", sa.Column("project", sa.Text, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("tree", sa.String(64), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("script", sa.Text, nullable=False, server_default="nn.py"))
    op.drop_index("one_run_a_push", "runs")
    op.create_index(
        "one_run_a_push",
        "runs",
        ["repository", "branch", "sha", "project"],
        unique=True,
        sqlite_where=sa.text("origin = 'push'"),
        postgresql_where=sa.text("origin = 'push'"),
    )
