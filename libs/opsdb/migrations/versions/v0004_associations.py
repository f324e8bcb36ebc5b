"""Associations: the OPUS relations, and which exposure an observation is."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ENUMS = {
    "association_state": "'open', 'collected', 'failed'",
    "association_origin": "'filing', 'pool', 'operator', 'import'",
    "collection_reason": "'complete', 'deadline', 'forced'",
    "member_status": "'U', 'C', 'O', 'P'",
    "product_status": "'U', 'C', 'N', 'E', 'X'",
}

TABLES = {
    "asn_association": """
        association_id varchar(9) NOT NULL, site text NOT NULL, turn bigint NOT NULL, told_by uuid NOT NULL,
        revision bigint NOT NULL, state association_state NOT NULL, origin association_origin NOT NULL,
        rule text, expected bigint, deadline timestamptz, opened_at timestamptz NOT NULL,
        opened_by text NOT NULL, open_reason text NOT NULL, collected_at timestamptz, collected_by text,
        collection_reason collection_reason, missing bigint, problem_code text, problem_reason text,
        problem_remedy text, CONSTRAINT pk_asn_association PRIMARY KEY (association_id),
        CONSTRAINT ck_asn_association_id CHECK (association_id ~ '^[A-Z][0-9A-Z]{7}0$'),
        CONSTRAINT ck_asn_association_collected CHECK ((state = 'open') = (collected_at IS NULL)),
        CONSTRAINT ck_asn_association_counts CHECK (turn >= 1 AND revision >= 1)
    """,
    "asn_members": """
        association_id varchar(9) NOT NULL, program_id varchar(3) NOT NULL, obset_id varchar(2) NOT NULL,
        member_num varchar(3) NOT NULL, member_type varchar(12) NOT NULL, member_status member_status NOT NULL,
        product_status product_status NOT NULL, turn bigint NOT NULL, told_by uuid NOT NULL,
        revision bigint NOT NULL, executed_obs_unit_id uuid, arrived_at timestamptz, raw_data_file_id uuid,
        made_at timestamptz,
        CONSTRAINT asn_members_1 PRIMARY KEY (association_id, program_id, obset_id, member_num),
        CONSTRAINT ck_asn_members_program_id CHECK (program_id ~ '^[0-9A-Z]{3}$'),
        CONSTRAINT ck_asn_members_obset_id CHECK (obset_id ~ '^[0-9A-Z]{2}$'),
        CONSTRAINT ck_asn_members_member_num CHECK (
            member_num ~ CASE WHEN member_status = 'P' THEN '^[0-9A-Z]{3}$' ELSE '^[0-9A-Z]{2}$' END
        ),
        CONSTRAINT ck_asn_members_exposure_or_product CHECK ((member_status = 'P') = (product_status <> 'E')),
        CONSTRAINT ck_asn_members_arrived CHECK ((executed_obs_unit_id IS NULL) = (arrived_at IS NULL)),
        CONSTRAINT ck_asn_members_made CHECK ((raw_data_file_id IS NULL) = (made_at IS NULL))
    """,
    "asn_product_link": """
        association_id varchar(9) NOT NULL, product_num varchar(3) NOT NULL, program_id varchar(3) NOT NULL,
        obset_id varchar(2) NOT NULL, member_num varchar(3) NOT NULL,
        CONSTRAINT pk_asn_product_link
            PRIMARY KEY (association_id, product_num, program_id, obset_id, member_num)
    """,
    "asn_exposure": """
        executed_obs_unit_id uuid NOT NULL, exposure_name varchar(8) NOT NULL, program_id varchar(3) NOT NULL,
        obset_id varchar(2) NOT NULL, member_num varchar(2) NOT NULL, member_type varchar(12) NOT NULL,
        claims jsonb NOT NULL, named_at timestamptz NOT NULL, told_by uuid NOT NULL,
        CONSTRAINT pk_asn_exposure PRIMARY KEY (executed_obs_unit_id)
    """,
}

INDEXES = (
    "ix_asn_association_due ON asn_association (deadline) WHERE state = 'open'",
    "asn_members_2 ON asn_members (program_id, obset_id, member_num)",
    "ix_asn_members_executed_obs_unit_id ON asn_members (executed_obs_unit_id)",
    "ix_asn_exposure_program_id_obset_id_member_num ON asn_exposure (program_id, obset_id, member_num)",
)


def upgrade() -> None:
    """Make the enums, tables and indexes; asn_members is clustered by its key, as the relation says."""
    for name, labels in ENUMS.items():
        op.execute(f"CREATE TYPE {name} AS ENUM ({labels})")
    for table, columns in TABLES.items():
        op.execute(f"CREATE TABLE {table} ({columns})")
    for index in INDEXES:
        op.execute(f"CREATE INDEX {index}")
    op.execute("ALTER TABLE asn_members CLUSTER ON asn_members_1")


def downgrade() -> None:
    """Back to the copies that are there."""
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
    for name in ENUMS:
        op.execute(f"DROP TYPE {name}")
