"""Observation assets, tasks and cameras of a telescope network."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ENUMS = {
    "asset_role": (
        "'SCIENCE_LIGHT', 'BIAS', 'DARK', 'FLAT', 'RADIO_TRACK', 'RADIO_TRACK_TABLE', 'RADIO_MAP'"
    ),
    "transfer_state": "'pending', 'active', 'completed', 'failed', 'canceled'",
    "run_state": "'ready', 'running', 'completed', 'failed', 'canceled'",
    "task_type": (
        "'optical_imaging', 'optical_imaging_bias_calibration', "
        "'optical_imaging_dark_calibration', 'optical_imaging_flat_calibration', "
        "'radio_tracking', 'radio_mapping'"
    ),
    "task_status": (
        "'unassigned', 'pending', 'active', 'completed', 'failed', 'not_attempted', 'interrupted', 'canceled'"
    ),
    "device_type": (
        "'enclosure', 'ota', 'camera', 'focuser', 'instrument_rotator', 'filter_wheel', "
        "'mount', 'weather_sensor', 'antenna', 'receiver', 'radio_backend'"
    ),
    "cooler_policy": "'always_on', 'pre_cool_for_tasks', 'manual_only'",
}

TABLES = {
    "device": """
        id bigint NOT NULL, uid uuid NOT NULL, device_type device_type NOT NULL, telescope_id
        bigint, observatory_id bigint, owner_id bigint NOT NULL, name text, serial_number
        varchar(100), image_id uuid, is_deleted boolean NOT NULL, revision bigint NOT NULL,
        registered_by uuid NOT NULL, CONSTRAINT pk_device PRIMARY KEY (uid), CONSTRAINT
        ck_device_revision CHECK (revision >= 1)
    """,
    "camera": """
        uid uuid NOT NULL, model_id bigint, default_binning bigint NOT NULL, temperature_setpoint
        double precision, temperature_setpoint_tolerance double precision, cooler_policy
        cooler_policy NOT NULL, cooler_prestart_lead_time_sec double precision NOT NULL,
        cooler_idle_timeout_sec double precision NOT NULL, array_width bigint NOT NULL, array_height
        bigint NOT NULL, pixel_size double precision NOT NULL, full_well_capacity double precision
        NOT NULL, is_color boolean NOT NULL, has_electronic_shutter boolean NOT NULL,
        is_global_shutter boolean NOT NULL, model_name varchar(50), manufacturer varchar(50),
        camera_revision bigint NOT NULL, camera_told_by uuid NOT NULL, CONSTRAINT pk_camera PRIMARY
        KEY (uid), CONSTRAINT ck_camera_default_binning CHECK (default_binning >= 1), CONSTRAINT
        ck_camera_array CHECK (array_width > 0 AND array_height > 0 AND pixel_size > 0), CONSTRAINT
        ck_camera_tolerance CHECK (temperature_setpoint_tolerance >= 0), CONSTRAINT ck_camera_cooler
        CHECK (cooler_prestart_lead_time_sec >= 0 AND cooler_idle_timeout_sec >= 0), CONSTRAINT
        fk_camera_device FOREIGN KEY(uid) REFERENCES device (uid)
    """,
    "optical_imaging_task": """
        id bigint NOT NULL, ota_id bigint NOT NULL, camera_id bigint NOT NULL,
        accumulated_exposure_time double precision NOT NULL, observatory_acquired_frames bigint NOT
        NULL, required_exposure_time double precision NOT NULL, total_exposures bigint NOT NULL,
        max_exposure_time double precision, uid uuid NOT NULL, task_type task_type NOT NULL,
        observation_id bigint NOT NULL, request_id bigint NOT NULL, observation_iteration bigint NOT
        NULL, request_iteration bigint NOT NULL, observing_grant_id bigint, queue_access_grant_id
        bigint, instrument_id bigint NOT NULL, instrument_configuration_version bigint,
        scheduler_run_id bigint, earliest_start_time timestamptz, planned_start_time timestamptz,
        planned_duration interval, total_planned_duration interval, expiration_time timestamptz,
        actual_start_time timestamptz, actual_end_time timestamptz, status task_status NOT NULL,
        completed_on timestamptz, modified_on timestamptz NOT NULL, progress double precision NOT
        NULL, assets_revision bigint NOT NULL, assignments bigint NOT NULL, site text NOT NULL, turn
        bigint NOT NULL, told_by uuid NOT NULL, CONSTRAINT pk_optical_imaging_task PRIMARY KEY
        (uid), CONSTRAINT ck_optical_imaging_task_progress CHECK (progress BETWEEN 0 AND 1),
        CONSTRAINT ck_optical_imaging_task_completed CHECK ((status = 'completed') = (completed_on
        IS NOT NULL)), CONSTRAINT ck_optical_imaging_task_exposed CHECK (accumulated_exposure_time
        >= 0 AND observatory_acquired_frames >= 0), CONSTRAINT ck_optical_imaging_task_counts CHECK
        (turn >= 1 AND assets_revision >= 0)
    """,
    "observation_task_assignment_history": """
        task_uid uuid NOT NULL, assignment bigint NOT NULL, assigned_on timestamptz NOT NULL,
        assigned_by varchar(250) NOT NULL, ota_id bigint NOT NULL, camera_id bigint NOT NULL,
        instrument_id bigint NOT NULL, scheduler_run_id bigint, planned_start_time timestamptz, site
        text NOT NULL, turn bigint NOT NULL, told_by uuid NOT NULL, CONSTRAINT
        pk_observation_task_assignment_history PRIMARY KEY (task_uid, assignment), CONSTRAINT
        ck_observation_task_assignment_history_assignment CHECK (assignment >= 1)
    """,
    "observation_asset": """
        id bigint NOT NULL, uid uuid NOT NULL, observation_id bigint NOT NULL, instrument_id bigint
        NOT NULL, file_id uuid NOT NULL, role asset_role, processing_flags text[],
        root_observation_asset_id bigint, current_processing_run_id uuid, current_analysis_run_id
        uuid, current_processing_output_id uuid, current_render_run_id uuid, thumbnail_file_id uuid,
        preview_file_id uuid, render_dirty_at timestamptz, next_eligible_render_at timestamptz,
        is_remote boolean NOT NULL, is_transferrable boolean NOT NULL, transfer_state transfer_state
        NOT NULL, transfer_progress double precision, transfer_error varchar(250),
        last_transfer_attempt timestamptz, remote_file_path varchar(250), transfer_attempts bigint
        NOT NULL, transferrer varchar(250), lease_until timestamptz, first_dirty_at timestamptz,
        render_failures bigint NOT NULL, render_runs bigint NOT NULL, processing_runs bigint NOT
        NULL, analysis_runs bigint NOT NULL, current_render_run_number bigint,
        current_processing_run_number bigint, current_analysis_run_number bigint, site text NOT
        NULL, turn bigint NOT NULL, told_by uuid NOT NULL, CONSTRAINT pk_observation_asset PRIMARY
        KEY (uid), CONSTRAINT ck_observation_asset_bytes CHECK (is_remote = (transfer_state <>
        'completed')), CONSTRAINT ck_observation_asset_transfer_progress CHECK (transfer_progress
        BETWEEN 0 AND 1), CONSTRAINT ck_observation_asset_transfer_error CHECK (transfer_error IS
        NULL OR transfer_state = 'failed'), CONSTRAINT ck_observation_asset_render_mark CHECK
        ((render_dirty_at IS NULL) = (next_eligible_render_at IS NULL)), CONSTRAINT
        ck_observation_asset_root CHECK (root_observation_asset_id <> id), CONSTRAINT
        ck_observation_asset_turn CHECK (turn >= 1)
    """,
    "observation_asset_task_info": """
        asset_uid uuid NOT NULL, task_uid uuid NOT NULL, CONSTRAINT pk_observation_asset_task_info
        PRIMARY KEY (asset_uid, task_uid)
    """,
    "observation_asset_render_run": """
        dirty_at timestamptz, thumbnail_file_id uuid, preview_file_id uuid, uid uuid NOT NULL,
        asset_uid uuid NOT NULL, run_number bigint NOT NULL, state run_state NOT NULL, iterations
        bigint NOT NULL, run_priority bigint NOT NULL, version varchar(250) NOT NULL, created_on
        timestamptz NOT NULL, started_on timestamptz, completed_on timestamptz, errors text[] NOT
        NULL, stage_name varchar(250), stage_index bigint, stage_count bigint, progress double
        precision, site text NOT NULL, turn bigint NOT NULL, told_by uuid NOT NULL, CONSTRAINT
        pk_observation_asset_render_run PRIMARY KEY (uid), CONSTRAINT
        ck_observation_asset_render_run_progress CHECK (progress BETWEEN 0 AND 1), CONSTRAINT
        ck_observation_asset_render_run_completed CHECK ((completed_on IS NULL) = (state IN
        ('ready', 'running'))), CONSTRAINT ck_observation_asset_render_run_counts CHECK (run_number
        >= 1 AND turn >= 1 AND iterations >= 0)
    """,
    "observation_asset_processing_run": """
        output_id uuid, uid uuid NOT NULL, asset_uid uuid NOT NULL, run_number bigint NOT NULL,
        state run_state NOT NULL, iterations bigint NOT NULL, run_priority bigint NOT NULL, version
        varchar(250) NOT NULL, created_on timestamptz NOT NULL, started_on timestamptz, completed_on
        timestamptz, errors text[] NOT NULL, stage_name varchar(250), stage_index bigint,
        stage_count bigint, progress double precision, site text NOT NULL, turn bigint NOT NULL,
        told_by uuid NOT NULL, CONSTRAINT pk_observation_asset_processing_run PRIMARY KEY (uid),
        CONSTRAINT ck_observation_asset_processing_run_progress CHECK (progress BETWEEN 0 AND 1),
        CONSTRAINT ck_observation_asset_processing_run_completed CHECK ((completed_on IS NULL) =
        (state IN ('ready', 'running'))), CONSTRAINT ck_observation_asset_processing_run_counts
        CHECK (run_number >= 1 AND turn >= 1 AND iterations >= 0)
    """,
    "observation_asset_analysis_run": """
        uid uuid NOT NULL, asset_uid uuid NOT NULL, run_number bigint NOT NULL, state run_state NOT
        NULL, iterations bigint NOT NULL, run_priority bigint NOT NULL, version varchar(250) NOT
        NULL, created_on timestamptz NOT NULL, started_on timestamptz, completed_on timestamptz,
        errors text[] NOT NULL, stage_name varchar(250), stage_index bigint, stage_count bigint,
        progress double precision, site text NOT NULL, turn bigint NOT NULL, told_by uuid NOT NULL,
        CONSTRAINT pk_observation_asset_analysis_run PRIMARY KEY (uid), CONSTRAINT
        ck_observation_asset_analysis_run_progress CHECK (progress BETWEEN 0 AND 1), CONSTRAINT
        ck_observation_asset_analysis_run_completed CHECK ((completed_on IS NULL) = (state IN
        ('ready', 'running'))), CONSTRAINT ck_observation_asset_analysis_run_counts CHECK
        (run_number >= 1 AND turn >= 1 AND iterations >= 0)
    """,
}
"""The columns and constraints of each table; one that refers to another comes after it."""

INDEXES = (
    "ix_device_id ON device (id)",
    "ix_device_telescope_id ON device (telescope_id)",
    "ix_optical_imaging_task_expiring ON optical_imaging_task (expiration_time) WHERE status = 'pending'",
    "ix_optical_imaging_task_id ON optical_imaging_task (id)",
    "ix_optical_imaging_task_observation_id ON optical_imaging_task (observation_id)",
    "ix_optical_imaging_task_open ON optical_imaging_task (camera_id, planned_start_time) WHERE status IN ('unassigned', 'pending', 'active', 'interrupted')",
    "ix_observation_task_assignment_history_camera_id ON observation_task_assignment_history (camera_id)",
    "ix_observation_asset_file_id ON observation_asset (file_id)",
    "ix_observation_asset_id ON observation_asset (id)",
    "ix_observation_asset_observation_id ON observation_asset (observation_id)",
    "ix_observation_asset_root_observation_asset_id ON observation_asset (root_observation_asset_id)",
    "ix_observation_asset_to_fetch ON observation_asset (site) WHERE is_remote AND is_transferrable AND transfer_state IN ('pending', 'active')",
    "ix_observation_asset_to_render ON observation_asset (next_eligible_render_at) WHERE render_dirty_at IS NOT NULL",
    "ix_observation_asset_task_info_task_uid ON observation_asset_task_info (task_uid)",
    "ix_observation_asset_render_run_asset_uid ON observation_asset_render_run (asset_uid)",
    "ix_observation_asset_processing_run_asset_uid ON observation_asset_processing_run (asset_uid)",
    "ix_observation_asset_analysis_run_asset_uid ON observation_asset_analysis_run (asset_uid)",
)

MUCH_UPDATED = ("observation_asset", "optical_imaging_task")


def upgrade() -> None:
    """Make the enums, tables and indexes."""
    for name, labels in ENUMS.items():
        op.execute(f"CREATE TYPE {name} AS ENUM ({labels})")
    for table, columns in TABLES.items():
        op.execute(f"CREATE TABLE {table} ({columns})")
    for index in INDEXES:
        op.execute(f"CREATE INDEX {index}")
    for table in MUCH_UPDATED:
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 80)")


def downgrade() -> None:
    """Back to what an observatory itself has."""
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
    for name in ENUMS:
        op.execute(f"DROP TYPE {name}")
