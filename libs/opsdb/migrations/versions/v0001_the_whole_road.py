"""Everything that the whole road needs."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ENUMS = {
    "location_type": "'source', 'buffer', 'long_term_archive', 'processing'",
    "storage_type": "'disk', 's3', 'tape'",
    "route_type": "'direct', 'relay', 'custom'",
    "observation_state": "'running', 'finished', 'aborted'",
    "file_state": "'filed', 'missing', 'refused', 'scanned', 'planned', 'packaged'",
    "package_state": "'planned', 'abandoned', 'waiting', 'transferring', 'failed', 'archived'",
    "work_state": "'pending', 'scheduled', 'in_progress', 'completed', 'failed'",
    "copy_kind": "'raw_data_file', 'raw_data_package', 'data_transfer_package'",
    "copy_state": "'present', 'staged', 'deletion_possible', 'deletion_scheduled', 'deletion_in_progress', 'deleted', 'deletion_failed'",
    "preview_state": "'pending', 'rendered', 'no_preview', 'failed'",
}
"""The labels of each enum, in order."""

TABLES = {
    "bundled_package": """
        data_transfer_package_id uuid NOT NULL, raw_data_package_id uuid NOT NULL, attempt bigint,
        CONSTRAINT pk_bundled_package PRIMARY KEY (data_transfer_package_id, raw_data_package_id)
    """,
    "data_location": """
        name text NOT NULL, site text, location_type location_type, storage_type storage_type,
        priority bigint, active boolean, applied_at timestamptz, applied_by uuid,
        CONSTRAINT pk_data_location PRIMARY KEY (name)
    """,
    "data_transfer": """
        id uuid NOT NULL, data_transfer_package_id uuid, route text, engine text, origin text,
        destination text, origin_location text, destination_location text, size bigint, state work_state,
        started_at timestamptz, completed_at timestamptz, seconds double precision, problem_code text,
        problem_reason text, problem_remedy text, CONSTRAINT pk_data_transfer PRIMARY KEY (id)
    """,
    "data_transfer_package": """
        id uuid NOT NULL, route text, origin text, destination text, priority bigint, reason text,
        size bigint, package_count bigint, state work_state, sealed_at timestamptz, received_at timestamptz,
        CONSTRAINT pk_data_transfer_package PRIMARY KEY (id)
    """,
    "data_transfer_route": """
        name text NOT NULL, route_type route_type, origin text, destination text, via text[],
        applied_at timestamptz, applied_by uuid, CONSTRAINT pk_data_transfer_route PRIMARY KEY (name)
    """,
    "event_record": """
        stream text NOT NULL, sequence bigint NOT NULL, event_id uuid NOT NULL, type text NOT NULL,
        about text NOT NULL, site text NOT NULL, service text NOT NULL, time timestamptz NOT NULL,
        causation_id text, CONSTRAINT pk_event_record PRIMARY KEY (stream, sequence),
        CONSTRAINT uq_event_record_event_id_stream UNIQUE (event_id, stream)
    """,
    "executed_obs_unit": """
        id uuid NOT NULL, site text, instrument text, obs_unit text, observing_program text, obs_mode text,
        target_name text, ra_deg double precision, dec_deg double precision, conditions jsonb, quality text,
        state observation_state, start_time timestamptz, end_time timestamptz, filed_at timestamptz,
        finished_at timestamptz, file_count bigint, CONSTRAINT pk_executed_obs_unit PRIMARY KEY (id)
    """,
    "instrument": """
        name text NOT NULL, site text, source_location text, folder text, available boolean,
        package_limit bigint, applied_at timestamptz, applied_by uuid,
        CONSTRAINT pk_instrument PRIMARY KEY (name)
    """,
    "instrument_module": """
        instrument text NOT NULL, name text NOT NULL,
        CONSTRAINT pk_instrument_module PRIMARY KEY (instrument, name)
    """,
    "long_term_archive_transfer": """
        id uuid NOT NULL, raw_data_package_id uuid, location text, bucket text, key text, sidecar_key text,
        state work_state, proof_mode text, proven_at timestamptz, bytes_read bigint,
        completed_at timestamptz, CONSTRAINT pk_long_term_archive_transfer PRIMARY KEY (id)
    """,
    "physical_copy": """
        id uuid NOT NULL, kind copy_kind, entity_id uuid, location text, path text, size bigint,
        state copy_state, created_at timestamptz, verified_at timestamptz, deleted_at timestamptz,
        refusal_code text, refusal_reason text, refusal_remedy text, refused_at timestamptz,
        scrubbed_at timestamptz, scrub_problem_code text, CONSTRAINT pk_physical_copy PRIMARY KEY (id)
    """,
    "raw_data_file": """
        id uuid NOT NULL, executed_obs_unit_id uuid, instrument text, instrument_module text, location text,
        path text, declared_size bigint, declared_sha256 text, size bigint, mtime_ns bigint, sha256 text,
        state file_state, raw_data_package_id uuid, tar_offset bigint, filed_at timestamptz,
        scanned_at timestamptz, packaged_at timestamptz,
        preview_state preview_state DEFAULT 'pending' NOT NULL, preview_code text, preview_reason text,
        thumbnail_path text, preview_path text, preview_etag text, preview_width bigint,
        preview_height bigint, problem_code text, problem_reason text, problem_remedy text,
        CONSTRAINT pk_raw_data_file PRIMARY KEY (id)
    """,
    "raw_data_package": """
        id uuid NOT NULL, executed_obs_unit_id uuid, instrument text, instrument_module text, number bigint,
        name text, size bigint, sha256 text, file_count bigint, payload_bytes bigint, priority bigint,
        state package_state, source_location text, provenance jsonb, planned_at timestamptz,
        sealed_at timestamptz, verified_at timestamptz, archived_at timestamptz,
        data_transfer_package_id uuid, problem_at timestamptz, problem_by uuid, problem_code text,
        problem_reason text, problem_remedy text, CONSTRAINT pk_raw_data_package PRIMARY KEY (id)
    """,
    "site": """
        name text NOT NULL, description text, applied_at timestamptz, applied_by uuid,
        CONSTRAINT pk_site PRIMARY KEY (name)
    """,
    "staging_job": """
        id uuid NOT NULL, requested_by text, requested_at timestamptz, location text, folder text,
        selection jsonb, keep_for_s double precision, state work_state, packages bigint, files bigint,
        payload_bytes bigint, completed_at timestamptz, expires_at timestamptz, released_at timestamptz,
        release_reason text, problem_code text, problem_reason text, problem_remedy text,
        CONSTRAINT pk_staging_job PRIMARY KEY (id)
    """,
    "staging_job_package": """
        staging_job_id uuid NOT NULL, raw_data_package_id uuid NOT NULL, folder text, file_count bigint,
        payload_bytes bigint, staged_at timestamptz,
        CONSTRAINT pk_staging_job_package PRIMARY KEY (staging_job_id, raw_data_package_id)
    """,
    "stream_position": """
        stream text NOT NULL, sequence bigint NOT NULL, event_time timestamptz,
        CONSTRAINT pk_stream_position PRIMARY KEY (stream)
    """,
    "unfiled_file": """
        id uuid NOT NULL, location text, path text, size bigint, mtime_ns bigint, found_at timestamptz,
        filed boolean DEFAULT false NOT NULL, problem_code text, problem_reason text, problem_remedy text,
        CONSTRAINT pk_unfiled_file PRIMARY KEY (id)
    """,
    "data_transfer_package_physical_copy": """
        id uuid NOT NULL, data_transfer_package_id uuid NOT NULL,
        CONSTRAINT pk_data_transfer_package_physical_copy PRIMARY KEY (id),
        CONSTRAINT fk_data_transfer_package_physical_copy_physical_copy FOREIGN KEY(id) REFERENCES physical_copy (id)
    """,
    "disk_data_location": """
        name text NOT NULL, path text, told_at timestamptz, told_by uuid,
        CONSTRAINT pk_disk_data_location PRIMARY KEY (name),
        CONSTRAINT fk_disk_data_location_data_location FOREIGN KEY(name) REFERENCES data_location (name)
    """,
    "raw_data_file_physical_copy": """
        id uuid NOT NULL, raw_data_file_id uuid NOT NULL,
        CONSTRAINT pk_raw_data_file_physical_copy PRIMARY KEY (id),
        CONSTRAINT fk_raw_data_file_physical_copy_physical_copy FOREIGN KEY(id) REFERENCES physical_copy (id)
    """,
    "raw_data_package_physical_copy": """
        id uuid NOT NULL, raw_data_package_id uuid NOT NULL,
        CONSTRAINT pk_raw_data_package_physical_copy PRIMARY KEY (id),
        CONSTRAINT fk_raw_data_package_physical_copy_physical_copy FOREIGN KEY(id) REFERENCES physical_copy (id)
    """,
    "s3_data_location": """
        name text NOT NULL, endpoint text, bucket text, told_at timestamptz, told_by uuid,
        CONSTRAINT pk_s3_data_location PRIMARY KEY (name),
        CONSTRAINT fk_s3_data_location_data_location FOREIGN KEY(name) REFERENCES data_location (name)
    """,
    "tape_data_location": """
        name text NOT NULL, library text, told_at timestamptz, told_by uuid,
        CONSTRAINT pk_tape_data_location PRIMARY KEY (name),
        CONSTRAINT fk_tape_data_location_data_location FOREIGN KEY(name) REFERENCES data_location (name)
    """,
}
"""The columns and constraints of each table; one that refers to another comes after it."""

INDEXES = (
    "ix_bundled_package_raw_data_package_id ON bundled_package (raw_data_package_id)",
    "ix_data_transfer_data_transfer_package_id ON data_transfer (data_transfer_package_id)",
    "ix_data_transfer_state ON data_transfer (state)",
    "ix_data_transfer_package_route_state ON data_transfer_package (route, state)",
    "ix_event_record_about ON event_record (about)",
    "ix_event_record_time ON event_record (time)",
    "ix_executed_obs_unit_start_time ON executed_obs_unit (start_time)",
    "ix_executed_obs_unit_state ON executed_obs_unit (state)",
    "ix_long_term_archive_transfer_raw_data_package_id ON long_term_archive_transfer (raw_data_package_id)",
    "ix_physical_copy_entity_id ON physical_copy (entity_id)",
    "ix_physical_copy_location_state ON physical_copy (location, state)",
    "ix_raw_data_file_executed_obs_unit_id ON raw_data_file (executed_obs_unit_id)",
    "ix_raw_data_file_location_path ON raw_data_file (location, md5(path))",
    "ix_raw_data_file_looked_for ON raw_data_file (location, instrument) WHERE state IN ('filed', 'missing')",
    "ix_raw_data_file_raw_data_package_id ON raw_data_file (raw_data_package_id)",
    "ix_raw_data_package_data_transfer_package_id ON raw_data_package (data_transfer_package_id)",
    "ix_raw_data_package_executed_obs_unit_id ON raw_data_package (executed_obs_unit_id)",
    "ix_raw_data_package_state ON raw_data_package (state)",
    "ix_staging_job_state ON staging_job (state)",
    "ix_staging_job_package_raw_data_package_id ON staging_job_package (raw_data_package_id)",
    "ix_unfiled_file_location_path ON unfiled_file (location, md5(path))",
    "ix_unfiled_file_open ON unfiled_file (location) WHERE NOT filed",
    "ix_data_transfer_package_physical_copy_data_transfer_package_id ON data_transfer_package_physical_copy (data_transfer_package_id)",
    "ix_raw_data_file_physical_copy_raw_data_file_id ON raw_data_file_physical_copy (raw_data_file_id)",
    "ix_raw_data_package_physical_copy_raw_data_package_id ON raw_data_package_physical_copy (raw_data_package_id)",
)

MUCH_UPDATED = ("physical_copy", "raw_data_file", "raw_data_package")
"""Tables whose pages keep room for the next version of a row."""


def upgrade() -> None:
    """Make the enums, tables and indexes."""
    for name, labels in ENUMS.items():
        op.execute(f"CREATE TYPE {name} AS ENUM ({labels})")
    for table, columns in TABLES.items():
        room = " WITH (fillfactor = 80)" if table in MUCH_UPDATED else ""
        op.execute(f"CREATE TABLE {table} ({columns}){room}")
    for index in INDEXES:
        op.execute(f"CREATE INDEX {index}")


def downgrade() -> None:
    """Remove them all."""
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
    for name in ENUMS:
        op.execute(f"DROP TYPE {name}")
