"""People and their tokens, archives, journals of what was done, and what packages are about."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = {
    "user": """
        name text NOT NULL, full_name text, email text, external_id text, retired boolean, applied_at
        timestamptz, applied_by uuid, CONSTRAINT pk_user PRIMARY KEY (name)
    """,
    "role": """
        name text NOT NULL, description text, retired boolean, applied_at timestamptz, applied_by uuid,
        CONSTRAINT pk_role PRIMARY KEY (name)
    """,
    "role_permission": """
        role text NOT NULL, permission text NOT NULL, retired boolean, applied_at timestamptz, applied_by
        uuid, CONSTRAINT pk_role_permission PRIMARY KEY (role, permission), CONSTRAINT
        fk_role_permission_role FOREIGN KEY (role) REFERENCES role (name)
    """,
    "user_role": """
        user_name text NOT NULL, role text NOT NULL, retired boolean, applied_at timestamptz, applied_by
        uuid, CONSTRAINT pk_user_role PRIMARY KEY (user_name, role), CONSTRAINT fk_user_role_user FOREIGN
        KEY (user_name) REFERENCES "user" (name), CONSTRAINT fk_user_role_role FOREIGN KEY (role)
        REFERENCES role (name)
    """,
    "api_token": """
        id uuid NOT NULL, user_name text, name text, sha256 text, scopes text[], issued_at timestamptz,
        issued_by text, expires_at timestamptz, revoked_at timestamptz, use_count bigint, last_used_at
        timestamptz, last_address text, CONSTRAINT pk_api_token PRIMARY KEY (id), CONSTRAINT
        ck_api_token_use_count CHECK (use_count >= 0), CONSTRAINT fk_api_token_user FOREIGN KEY
        (user_name) REFERENCES "user" (name)
    """,
    "api_token_use": """
        api_token_id uuid NOT NULL, site text NOT NULL, uses bigint, last_used_at timestamptz,
        last_address text, CONSTRAINT pk_api_token_use PRIMARY KEY (api_token_id, site), CONSTRAINT
        ck_api_token_use_uses CHECK (uses > 0), CONSTRAINT fk_api_token_use_api_token FOREIGN KEY
        (api_token_id) REFERENCES api_token (id)
    """,
    "data_transfer_log": """
        data_transfer_id uuid, status work_state, id uuid NOT NULL, time timestamptz, site text, service
        text, message text, log_path text, CONSTRAINT pk_data_transfer_log PRIMARY KEY (id)
    """,
    "long_term_archive_transfer_log": """
        long_term_archive_transfer_id uuid, status work_state, id uuid NOT NULL, time timestamptz, site
        text, service text, message text, log_path text, CONSTRAINT pk_long_term_archive_transfer_log
        PRIMARY KEY (id)
    """,
    "staging_job_log": """
        staging_job_id uuid, status work_state, id uuid NOT NULL, time timestamptz, site text, service
        text, message text, log_path text, CONSTRAINT pk_staging_job_log PRIMARY KEY (id)
    """,
    "system_log": """
        action text, actor text, about text, details jsonb, id uuid NOT NULL, time timestamptz, site text,
        service text, message text, log_path text, CONSTRAINT pk_system_log PRIMARY KEY (id)
    """,
    "raw_data_package_metadata": """
        raw_data_package_id uuid NOT NULL, observatory text, telescope text, instrument text,
        instrument_module text, observing_program text, obs_unit text, obs_mode text, target_name text,
        ra_deg double precision, dec_deg double precision, start_time timestamptz, end_time timestamptz,
        instrument_parameters jsonb, quality_metrics jsonb, extended_provenance jsonb, custom jsonb,
        CONSTRAINT pk_raw_data_package_metadata PRIMARY KEY (raw_data_package_id)
    """,
    "data_archive": """
        name text NOT NULL, location text, institution text, description text, ivo_id text, url text,
        retired boolean, applied_at timestamptz, applied_by uuid, CONSTRAINT pk_data_archive PRIMARY KEY
        (name)
    """,
}
"""The columns and constraints of each table; one that refers to another comes after it."""

INDEXES = (
    "ix_data_archive_location ON data_archive (location)",
    "ix_data_transfer_log_data_transfer_id_time ON data_transfer_log (data_transfer_id, time)",
    "ix_long_term_archive_transfer_log_transfer ON long_term_archive_transfer_log (long_term_archive_transfer_id, time)",
    "ix_raw_data_package_metadata_dec_deg_ra_deg ON raw_data_package_metadata (dec_deg, ra_deg)",
    "ix_raw_data_package_metadata_start_time ON raw_data_package_metadata (start_time)",
    "ix_raw_data_package_metadata_target_name ON raw_data_package_metadata (target_name)",
    "ix_staging_job_log_staging_job_id_time ON staging_job_log (staging_job_id, time)",
    "ix_system_log_about ON system_log (about)",
    "ix_system_log_time ON system_log (time)",
    'ix_user_external_id ON "user" (external_id)',
    "ix_api_token_sha256 ON api_token (sha256)",
    "ix_api_token_user_name ON api_token (user_name)",
    "ix_user_role_role ON user_role (role)",
)

LACKING = """
    DO $$ BEGIN IF EXISTS (SELECT FROM stream_position) THEN
        COMMENT ON TABLE stream_position IS 'the tables lack what older events say: rebuild';
    END IF; END $$
"""
"""As `libs.opsdb.upkeep.lacking` has it: journals are told by events that were folded before there were any."""


def upgrade() -> None:
    """Make the tables, and let them be filled from the events that there are."""
    for table, columns in TABLES.items():
        op.execute(f'CREATE TABLE "{table}" ({columns})')
    for index in INDEXES:
        op.execute(f"CREATE INDEX {index}")
    op.execute(LACKING)


def downgrade() -> None:
    """Back to the catalog."""
    op.execute("COMMENT ON TABLE stream_position IS NULL")
    for table in reversed(TABLES):
        op.execute(f'DROP TABLE "{table}"')
