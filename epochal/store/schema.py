"""The tables of the database. A test checks that the Alembic migrations produce the same tables."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)

from epochal.errors import Reason
from epochal.records import (
    AccuracySource,
    Evidence,
    Forecast,
    Judgement,
    MessageState,
    Origin,
    State,
    Step,
    StoppedBy,
    Strategy,
    TrialState,
    Verdict,
)
from epochal.store.types import DataclassJson, StringTuple, UtcDateTime, enum_type

VERSION_TABLE = "epochal_version"
HEAD = "0011"
"""The newest migration. A database at this version is opened without importing Alembic, which would take 0.1 s."""


metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("repository", Text, nullable=False),
    Column("branch", Text, nullable=False),
    Column("sha", String(64), nullable=False),
    Column("message", Text, nullable=False, server_default=""),
    Column("author_name", Text, nullable=False, server_default=""),
    Column("author_email", Text, nullable=False, server_default=""),
    Column("origin", enum_type(Origin), nullable=False),
    Column("state", enum_type(State), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("started", UtcDateTime),
    Column("ended", UtcDateTime),
    Column("reason", enum_type(Reason, 32)),
    Column("explanation", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Column("framework", String(16)),
    Column("framework_why", Text, nullable=False, server_default=""),
    Column("runtime", String(16)),
    Column("image", Text),
    Column("threshold", Float),
    Column("build_url", Text),
    Column("successor", Integer),
    Column("notes", StringTuple, nullable=False, server_default="[]"),
    Column("owner", Text),
    Column("heartbeat", UtcDateTime),
    Column("stop_requested", enum_type(State)),
    Column("fingerprint", String(64)),
    Column("offered_fingerprint", String(64)),
    Column("reused_run", Integer),
    Column("reused_trial", Integer),
    Column("project", Text, nullable=False, server_default=""),
    Column("tree", String(64), nullable=False, server_default=""),
    Column("script", Text, nullable=False, server_default="nn.py"),
    sqlite_autoincrement=True,
)
Index("runs_by_branch", runs.c.repository, runs.c.branch, runs.c.id)
Index("runs_by_state", runs.c.state)
Index("runs_by_fingerprint", runs.c.fingerprint)
Index("runs_by_offered_fingerprint", runs.c.offered_fingerprint)
# Pushes of a commit to the same branch of a repository share one run for each project. A person may ask for more runs of
# the commit. The migration sets the same condition for PostgreSQL, whose dialect every command would import if it were
# named here.
Index(
    "one_run_a_push",
    runs.c.repository,
    runs.c.branch,
    runs.c.sha,
    runs.c.project,
    unique=True,
    sqlite_where=text("origin = 'push'"),
)

trials = Table(
    "run_trials",  # not "trials": Optuna has a table of that name and fails if there is another one
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", enum_type(TrialState), nullable=False),
    Column("hyperparameters", JSON, nullable=False),
    Column("epochs_trained", Integer),
    Column("accuracy_value", Float),
    Column("accuracy_source", enum_type(AccuracySource)),
    Column("seconds", Float),
    Column("reason", enum_type(Reason, 32)),
    Column("explanation", Text, nullable=False, server_default=""),
    Column("epochs_resumed", Integer, nullable=False, server_default="0"),
    Column("resumption", Text, nullable=False, server_default=""),
    Column("validation_accuracy", Float),
    Column("stopped_by", enum_type(StoppedBy)),
    Column("strategy", enum_type(Strategy), nullable=False, server_default="committed"),
    Column("owner", Text),
    Column("heartbeat", UtcDateTime),
    Column("forecast", DataclassJson(Forecast)),
    Column("accuracy_samples", Integer),
    Column("accuracy_test_set", String(64)),
    Column("accuracy_test_rows", LargeBinary),
    Column("accuracy_looks", Integer, nullable=False, server_default="1"),
    Column("accuracy_evidence", DataclassJson(Evidence)),
    Column("caught", Boolean, nullable=False, server_default=false()),
    Column("validates_on_test", Boolean, nullable=False, server_default=false()),
    Column("judgement", DataclassJson(Judgement, verdict=Verdict)),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("event", String(64), nullable=False),
    Column("received", UtcDateTime, nullable=False),
    Column("result", Text, nullable=False),
    Column("run", ForeignKey("runs.id")),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False, unique=True),
    Column("message_id", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("recipients", StringTuple, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("state", enum_type(MessageState), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("outcome", Text, nullable=False, server_default=""),
    Column("created", UtcDateTime, nullable=False),
    Column("sent", UtcDateTime),
    Column("leased_until", UtcDateTime),
)

dispatches = Table(
    "dispatches",
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("job", Text, nullable=False),
    Column("item", Integer),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("requested", UtcDateTime, nullable=False),
)

moments = Table(
    "moments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("step", enum_type(Step, 32), nullable=False),
    Column("trial", Integer),
    Column("at", UtcDateTime, nullable=False),
)
Index("moments_by_run", moments.c.run)
