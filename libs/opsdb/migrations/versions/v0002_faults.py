"""Dead letters, holds, announced deletions, and what scrubs find and mend."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ENUMS = {
    "failure_kind": "'exhausted', 'permanent', 'poison', 'unexpected'",
    "letter_state": "'buried', 'retried', 'settled', 'dropped'",
    "hold_kind": "'location', 'instrument', 'executed_obs_unit', 'raw_data_package', 'raw_data_file'",
}

TABLES = {
    "dead_letter": """
        id uuid NOT NULL, site text, service text, handler text, stream text, sequence bigint, type text,
        entity_id text, failure failure_kind, attempts bigint, burials bigint, state letter_state,
        buried_at timestamptz, decided_at timestamptz, decided_by text, drop_reason text,
        settled_at timestamptz, problem_code text, problem_reason text, problem_remedy text,
        CONSTRAINT pk_dead_letter PRIMARY KEY (id)
    """,
    "deletion_hold": """
        id uuid NOT NULL, kind hold_kind, target text, reason text, placed_by text, placed_at timestamptz,
        released_at timestamptz, released_by text, release_reason text,
        CONSTRAINT pk_deletion_hold PRIMARY KEY (id)
    """,
}

INDEXES = (
    "ix_dead_letter_entity_id ON dead_letter (entity_id)",
    "ix_dead_letter_state ON dead_letter (state)",
    "ix_deletion_hold_kind_target ON deletion_hold (kind, target)",
)

COPY_COLUMNS = {
    "scrub_problem_reason": "text",
    "scrub_problem_remedy": "text",
    "scheduled_at": "timestamptz",
    "repaired_at": "timestamptz",
    "repaired_from": "text",
    "unrepairable_at": "timestamptz",
}


def upgrade() -> None:
    """Make the tables, and widen physical_copy."""
    for name, labels in ENUMS.items():
        op.execute(f"CREATE TYPE {name} AS ENUM ({labels})")
    for table, columns in TABLES.items():
        op.execute(f"CREATE TABLE {table} ({columns})")
    for index in INDEXES:
        op.execute(f"CREATE INDEX {index}")
    for column, kind in COPY_COLUMNS.items():
        op.execute(f"ALTER TABLE physical_copy ADD COLUMN {column} {kind}")


def downgrade() -> None:
    """Back to the whole road."""
    for column in COPY_COLUMNS:
        op.execute(f"ALTER TABLE physical_copy DROP COLUMN {column}")
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
    for name in ENUMS:
        op.execute(f"DROP TYPE {name}")
