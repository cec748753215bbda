"""Rename columns, indexes and a table to the names that the code uses.

Migrations import nothing from the schema, because they must not change when the schema does.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

_RENAMED = {
    "runs": {
        "meaning": "fingerprint",
        "offered": "offered_fingerprint",
        "taken_over": "reused_run",
        "taken_trial": "reused_trial",
    },
    "run_trials": {
        "accuracy": "accuracy_value",
        "samples": "accuracy_samples",
        "test_set": "accuracy_test_set",
        "test_rows": "accuracy_test_rows",
        "looks": "accuracy_looks",
        "evidence": "accuracy_evidence",
        "epochs_continued": "epochs_resumed",
        "continuation": "resumption",
    },
    "moments": {"name": "step"},
    "notices": {"message": "content", "told": "outcome"},
}


def upgrade() -> None:
    """Rename the columns, the indexes and the table.

    Every accuracy must now have a source and evidence. A missing source becomes ``output``, and missing evidence
    becomes an empty object.
    """
    for table, names in _RENAMED.items():
        for old, new in names.items():
            op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    op.rename_table("notices", "messages")
    for index in ("runs_by_meaning", "runs_by_offer"):
        op.drop_index(index, "runs")
    op.create_index("runs_by_fingerprint", "runs", ["fingerprint"])
    op.create_index("runs_by_offered_fingerprint", "runs", ["offered_fingerprint"])
    measured = "accuracy_value IS NOT NULL"
    op.execute(f"UPDATE run_trials SET accuracy_source = 'output' WHERE {measured} AND accuracy_source IS NULL")  # noqa: S608
    op.execute(f"UPDATE run_trials SET accuracy_evidence = '{{}}' WHERE {measured} AND accuracy_evidence IS NULL")  # noqa: S608
