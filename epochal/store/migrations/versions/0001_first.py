"""Create the first tables: runs, their trials, deliveries and notices.

Migrations import nothing from the schema, because they must not change when the schema does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables for runs, trials, deliveries and notices."""
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("branch", sa.Text, nullable=False),
        sa.Column("sha", sa.String(64), nullable=False),
        sa.Column("message", sa.Text, nullable=False, server_default=""),
        sa.Column("author_name", sa.Text, nullable=False, server_default=""),
        sa.Column("author_email", sa.Text, nullable=False, server_default=""),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("started", sa.DateTime),
        sa.Column("ended", sa.DateTime),
        sa.Column("reason", sa.String(32)),
        sa.Column("explanation", sa.Text, nullable=False, server_default=""),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
        sa.Column("framework", sa.String(16)),
        sa.Column("framework_why", sa.Text, nullable=False, server_default=""),
        sa.Column("runtime", sa.String(16)),
        sa.Column("image", sa.Text),
        sa.Column("threshold", sa.Float),
        sa.Column("build_url", sa.Text),
        sa.Column("successor", sa.Integer),
        sa.Column("notes", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("owner", sa.Text),
        sa.Column("heartbeat", sa.DateTime),
        sa.Column("stop_requested", sa.String(16)),
        sqlite_autoincrement=True,
    )
    op.create_index("runs_by_branch", "runs", ["repository", "branch", "id"])
    op.create_index("runs_by_state", "runs", ["state"])
    op.create_index(
        "one_run_a_push",
        "runs",
        ["repository", "branch", "sha"],
        unique=True,
        sqlite_where=sa.text("origin = 'push'"),
        postgresql_where=sa.text("origin = 'push'"),
    )
    op.create_table(
        "run_trials",
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("hyperparameters", sa.JSON, nullable=False),
        sa.Column("epochs_trained", sa.Integer),
        sa.Column("accuracy", sa.Float),
        sa.Column("accuracy_source", sa.String(16)),
        sa.Column("seconds", sa.Float),
        sa.Column("reason", sa.String(32)),
        sa.Column("explanation", sa.Text, nullable=False, server_default=""),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("received", sa.DateTime, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id")),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), nullable=False, unique=True),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("recipients", sa.JSON, nullable=False),
        sa.Column("message", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("told", sa.Text, nullable=False, server_default=""),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.Column("sent", sa.DateTime),
        sa.Column("leased_until", sa.DateTime),
    )
