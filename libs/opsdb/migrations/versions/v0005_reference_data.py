"""What an observatory consists of and plans to observe: the catalog."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ENUMS = {
    "source_type": "'fixed', 'solar_system', 'constant_elevation'",
    "instrument_family": "'chai', 'prime_cam'",
    "frequency_unit": "'Hz', 'kHz', 'MHz', 'GHz', 'THz'",
    "sideband": "'lower', 'upper'",
    "scan_pattern": "'azimuth', 'pong', 'daisy', 'stare'",
}

TABLES = {
    "line": """
        name text NOT NULL, rest_frequency double precision, frequency_unit frequency_unit, species text,
        transition text, retired boolean, applied_at timestamptz, applied_by uuid, CONSTRAINT pk_line
        PRIMARY KEY (name), CONSTRAINT ck_line_rest_frequency CHECK (rest_frequency > 0)
    """,
    "obs_mode": """
        name text NOT NULL, description text, retired boolean, applied_at timestamptz, applied_by uuid,
        CONSTRAINT pk_obs_mode PRIMARY KEY (name)
    """,
    "observatory": """
        name text NOT NULL, description text, longitude_deg double precision, latitude_deg double
        precision, height_m double precision, retired boolean, applied_at timestamptz, applied_by uuid,
        CONSTRAINT pk_observatory PRIMARY KEY (name), CONSTRAINT ck_observatory_longitude CHECK
        (longitude_deg BETWEEN -180 AND 360), CONSTRAINT ck_observatory_latitude CHECK (latitude_deg
        BETWEEN -90 AND 90)
    """,
    "observing_program": """
        name text NOT NULL, title text, principal_investigator text, allocated_h double precision,
        priority bigint, description text, retired boolean, applied_at timestamptz, applied_by uuid,
        CONSTRAINT pk_observing_program PRIMARY KEY (name), CONSTRAINT ck_observing_program_allocated
        CHECK (allocated_h >= 0)
    """,
    "source": """
        name text NOT NULL, source_type source_type, description text, retired boolean, applied_at
        timestamptz, applied_by uuid, CONSTRAINT pk_source PRIMARY KEY (name)
    """,
    "constant_elevation_source": """
        name text NOT NULL, elevation_deg double precision, azimuth_min_deg double precision,
        azimuth_max_deg double precision, told_at timestamptz, told_by uuid, CONSTRAINT
        pk_constant_elevation_source PRIMARY KEY (name), CONSTRAINT ck_constant_elevation_source_elevation
        CHECK (elevation_deg BETWEEN 0 AND 90), CONSTRAINT ck_constant_elevation_source_azimuths CHECK
        (azimuth_min_deg < azimuth_max_deg), CONSTRAINT fk_constant_elevation_source_source FOREIGN KEY
        (name) REFERENCES source (name)
    """,
    "fixed_source": """
        name text NOT NULL, ra_deg double precision, dec_deg double precision, velocity_km_s double
        precision, told_at timestamptz, told_by uuid, CONSTRAINT pk_fixed_source PRIMARY KEY (name),
        CONSTRAINT ck_fixed_source_right_ascension CHECK (ra_deg >= 0 AND ra_deg < 360), CONSTRAINT
        ck_fixed_source_declination CHECK (dec_deg BETWEEN -90 AND 90), CONSTRAINT fk_fixed_source_source
        FOREIGN KEY (name) REFERENCES source (name)
    """,
    "solar_system_object": """
        name text NOT NULL, naif_id bigint, told_at timestamptz, told_by uuid, CONSTRAINT
        pk_solar_system_object PRIMARY KEY (name), CONSTRAINT fk_solar_system_object_source FOREIGN KEY
        (name) REFERENCES source (name)
    """,
    "sub_observing_program": """
        observing_program text NOT NULL, name text NOT NULL, title text, allocated_h double precision,
        description text, retired boolean, applied_at timestamptz, applied_by uuid, CONSTRAINT
        pk_sub_observing_program PRIMARY KEY (observing_program, name), CONSTRAINT
        ck_sub_observing_program_allocated CHECK (allocated_h >= 0), CONSTRAINT
        fk_sub_observing_program_observing_program FOREIGN KEY (observing_program) REFERENCES
        observing_program (name)
    """,
    "telescope": """
        name text NOT NULL, observatory text, description text, diameter_m double precision, retired
        boolean, applied_at timestamptz, applied_by uuid, CONSTRAINT pk_telescope PRIMARY KEY (name),
        CONSTRAINT ck_telescope_diameter CHECK (diameter_m > 0), CONSTRAINT fk_telescope_observatory
        FOREIGN KEY (observatory) REFERENCES observatory (name)
    """,
    "observation_configuration": """
        name text NOT NULL, instrument text, family instrument_family, description text, retired boolean,
        applied_at timestamptz, applied_by uuid, CONSTRAINT pk_observation_configuration PRIMARY KEY
        (name), CONSTRAINT fk_observation_configuration_instrument FOREIGN KEY (instrument) REFERENCES
        instrument (name)
    """,
    "chai_observation_configuration": """
        name text NOT NULL, integration_s double precision, reference_ra_offset_arcsec double precision,
        reference_dec_offset_arcsec double precision, told_at timestamptz, told_by uuid, CONSTRAINT
        pk_chai_observation_configuration PRIMARY KEY (name), CONSTRAINT
        ck_chai_observation_configuration_integration CHECK (integration_s > 0), CONSTRAINT
        fk_chai_observation_configuration_observation_configuration FOREIGN KEY (name) REFERENCES
        observation_configuration (name)
    """,
    "instrument_module_configuration": """
        name text NOT NULL, instrument text, instrument_module text, family instrument_family, description
        text, retired boolean, applied_at timestamptz, applied_by uuid, CONSTRAINT
        pk_instrument_module_configuration PRIMARY KEY (name), CONSTRAINT
        fk_instrument_module_configuration_instrument_module FOREIGN KEY (instrument, instrument_module)
        REFERENCES instrument_module (instrument, name)
    """,
    "prime_cam_observation_configuration": """
        name text NOT NULL, scan_pattern scan_pattern, scan_speed_deg_s double precision, scan_width_deg
        double precision, scan_height_deg double precision, told_at timestamptz, told_by uuid, CONSTRAINT
        pk_prime_cam_observation_configuration PRIMARY KEY (name), CONSTRAINT
        ck_prime_cam_observation_configuration_scan_speed CHECK (scan_speed_deg_s > 0), CONSTRAINT
        ck_prime_cam_observation_configuration_scan_size CHECK (scan_width_deg > 0 AND scan_height_deg >
        0), CONSTRAINT fk_prime_cam_observation_configuration_observation_conf_b4c5 FOREIGN KEY (name)
        REFERENCES observation_configuration (name)
    """,
    "chai_inpar_parameter": """
        observation_configuration text NOT NULL, name text NOT NULL, value text, unit text, description
        text, retired boolean, applied_at timestamptz, applied_by uuid, CONSTRAINT pk_chai_inpar_parameter
        PRIMARY KEY (observation_configuration, name), CONSTRAINT
        fk_chai_inpar_parameter_chai_observation_configuration FOREIGN KEY (observation_configuration)
        REFERENCES chai_observation_configuration (name)
    """,
    "chai_module_configuration": """
        name text NOT NULL, line text, lo_frequency_ghz double precision, sideband sideband, bandwidth_mhz
        double precision, channels bigint, told_at timestamptz, told_by uuid, CONSTRAINT
        pk_chai_module_configuration PRIMARY KEY (name), CONSTRAINT
        ck_chai_module_configuration_lo_frequency CHECK (lo_frequency_ghz > 0), CONSTRAINT
        ck_chai_module_configuration_bandwidth CHECK (bandwidth_mhz > 0), CONSTRAINT
        ck_chai_module_configuration_channels CHECK (channels > 0), CONSTRAINT
        fk_chai_module_configuration_instrument_module_configuration FOREIGN KEY (name) REFERENCES
        instrument_module_configuration (name), CONSTRAINT fk_chai_module_configuration_line FOREIGN KEY
        (line) REFERENCES line (name)
    """,
    "chai_tiling": """
        observation_configuration text NOT NULL, name text NOT NULL, ra_offset_arcsec double precision,
        dec_offset_arcsec double precision, width_arcsec double precision, height_arcsec double precision,
        position_angle_deg double precision, retired boolean, applied_at timestamptz, applied_by uuid,
        CONSTRAINT pk_chai_tiling PRIMARY KEY (observation_configuration, name), CONSTRAINT
        ck_chai_tiling_size CHECK (width_arcsec > 0 AND height_arcsec > 0), CONSTRAINT
        fk_chai_tiling_chai_observation_configuration FOREIGN KEY (observation_configuration) REFERENCES
        chai_observation_configuration (name)
    """,
    "obs_unit": """
        name text NOT NULL, observing_program text, sub_observing_program text, source text, line text,
        obs_mode text, observation_configuration text, module_configuration text, planned_duration_s
        double precision, priority bigint, executions bigint, description text, retired boolean,
        applied_at timestamptz, applied_by uuid, CONSTRAINT pk_obs_unit PRIMARY KEY (name), CONSTRAINT
        fk_obs_unit_sub_observing_program FOREIGN KEY (observing_program, sub_observing_program)
        REFERENCES sub_observing_program (observing_program, name), CONSTRAINT
        ck_obs_unit_planned_duration CHECK (planned_duration_s > 0), CONSTRAINT ck_obs_unit_executions
        CHECK (executions > 0), CONSTRAINT fk_obs_unit_observing_program FOREIGN KEY (observing_program)
        REFERENCES observing_program (name), CONSTRAINT fk_obs_unit_source FOREIGN KEY (source) REFERENCES
        source (name), CONSTRAINT fk_obs_unit_line FOREIGN KEY (line) REFERENCES line (name), CONSTRAINT
        fk_obs_unit_obs_mode FOREIGN KEY (obs_mode) REFERENCES obs_mode (name), CONSTRAINT
        fk_obs_unit_observation_configuration FOREIGN KEY (observation_configuration) REFERENCES
        observation_configuration (name), CONSTRAINT fk_obs_unit_instrument_module_configuration FOREIGN
        KEY (module_configuration) REFERENCES instrument_module_configuration (name)
    """,
    "prime_cam_module_configuration": """
        name text NOT NULL, band_center_ghz double precision, bandwidth_ghz double precision, detectors
        bigint, sample_rate_hz double precision, told_at timestamptz, told_by uuid, CONSTRAINT
        pk_prime_cam_module_configuration PRIMARY KEY (name), CONSTRAINT
        ck_prime_cam_module_configuration_band CHECK (band_center_ghz > 0 AND bandwidth_ghz > 0),
        CONSTRAINT ck_prime_cam_module_configuration_detectors CHECK (detectors > 0), CONSTRAINT
        ck_prime_cam_module_configuration_sample_rate CHECK (sample_rate_hz > 0), CONSTRAINT
        fk_prime_cam_module_configuration_instrument_module_con_4649 FOREIGN KEY (name) REFERENCES
        instrument_module_configuration (name)
    """,
    "pre_scheduled_slot": """
        name text NOT NULL, start_time timestamptz, end_time timestamptz, instrument text,
        observing_program text, obs_unit text, description text, retired boolean, applied_at timestamptz,
        applied_by uuid, CONSTRAINT pk_pre_scheduled_slot PRIMARY KEY (name), CONSTRAINT
        ck_pre_scheduled_slot_times CHECK (start_time < end_time), CONSTRAINT
        fk_pre_scheduled_slot_instrument FOREIGN KEY (instrument) REFERENCES instrument (name), CONSTRAINT
        fk_pre_scheduled_slot_observing_program FOREIGN KEY (observing_program) REFERENCES
        observing_program (name), CONSTRAINT fk_pre_scheduled_slot_obs_unit FOREIGN KEY (obs_unit)
        REFERENCES obs_unit (name)
    """,
}
"""The columns and constraints of each table; one that refers to another comes after it."""

INDEXES = (
    "ix_source_source_type ON source (source_type)",
    "ix_fixed_source_dec_deg_ra_deg ON fixed_source (dec_deg, ra_deg)",
    "ix_telescope_observatory ON telescope (observatory)",
    "ix_instrument_telescope ON instrument (telescope)",
    "ix_observation_configuration_instrument ON observation_configuration (instrument)",
    "ix_instrument_module_configuration_instrument_instrument_module ON instrument_module_configuration (instrument, instrument_module)",
    "ix_obs_unit_observing_program_sub_observing_program ON obs_unit (observing_program, sub_observing_program)",
    "ix_obs_unit_source ON obs_unit (source)",
    "ix_executed_obs_unit_obs_unit ON executed_obs_unit (obs_unit)",
    "ix_executed_obs_unit_observing_program ON executed_obs_unit (observing_program)",
    "ix_pre_scheduled_slot_obs_unit ON pre_scheduled_slot (obs_unit)",
    "ix_pre_scheduled_slot_observing_program ON pre_scheduled_slot (observing_program)",
    "ix_pre_scheduled_slot_start_time ON pre_scheduled_slot (start_time)",
)

INSTRUMENT_COLUMNS = {
    "telescope": "text",
    "description": "text",
    "retired": "boolean",
    "described_at": "timestamptz",
    "described_by": "uuid",
}

MODULE_COLUMNS = {
    "description": "text",
    "pixels": "bigint",
    "frequency_min_ghz": "double precision",
    "frequency_max_ghz": "double precision",
    "retired": "boolean",
    "applied_at": "timestamptz",
    "applied_by": "uuid",
}

NAMED_ALREADY = (
    "obs_unit (name) SELECT DISTINCT obs_unit FROM executed_obs_unit WHERE obs_unit IS NOT NULL",
    "observing_program (name) SELECT DISTINCT observing_program FROM executed_obs_unit WHERE observing_program IS NOT NULL",
    "instrument (name) SELECT DISTINCT instrument FROM instrument_module ON CONFLICT DO NOTHING",
)
"""What was spoken of before it could be registered has a row of its key alone."""

CONSTRAINTS = {
    "fk_instrument_telescope": ("instrument", "FOREIGN KEY (telescope) REFERENCES telescope (name)"),
    "fk_instrument_module_instrument": (
        "instrument_module",
        "FOREIGN KEY (instrument) REFERENCES instrument (name)",
    ),
    "ck_instrument_module_pixels": ("instrument_module", "CHECK (pixels > 0)"),
    "ck_instrument_module_frequencies": (
        "instrument_module",
        "CHECK (frequency_min_ghz > 0 AND frequency_max_ghz > 0)",
    ),
    "fk_executed_obs_unit_obs_unit": (
        "executed_obs_unit",
        "FOREIGN KEY (obs_unit) REFERENCES obs_unit (name)",
    ),
    "fk_executed_obs_unit_observing_program": (
        "executed_obs_unit",
        "FOREIGN KEY (observing_program) REFERENCES observing_program (name)",
    ),
}
"""On tables that there were before."""


def upgrade() -> None:
    """Make the tables, and tie the observations to what they executed."""
    for name, labels in ENUMS.items():
        op.execute(f"CREATE TYPE {name} AS ENUM ({labels})")
    for column, kind in INSTRUMENT_COLUMNS.items():
        op.execute(f"ALTER TABLE instrument ADD COLUMN {column} {kind}")
    for column, kind in MODULE_COLUMNS.items():
        op.execute(f"ALTER TABLE instrument_module ADD COLUMN {column} {kind}")
    for table, columns in TABLES.items():
        op.execute(f"CREATE TABLE {table} ({columns})")
    for statement in NAMED_ALREADY:
        op.execute(f"INSERT INTO {statement}")
    for name, (table, constraint) in CONSTRAINTS.items():
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {constraint}")
    for index in INDEXES:
        op.execute(f"CREATE INDEX {index}")


def downgrade() -> None:
    """Back to what the deployment alone tells."""
    for index in ("ix_executed_obs_unit_obs_unit", "ix_executed_obs_unit_observing_program"):
        op.execute(f"DROP INDEX {index}")
    for name, (table, _) in CONSTRAINTS.items():
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
    for column in INSTRUMENT_COLUMNS:
        op.execute(f"ALTER TABLE instrument DROP COLUMN {column}")
    for column in MODULE_COLUMNS:
        op.execute(f"ALTER TABLE instrument_module DROP COLUMN {column}")
    for name in ENUMS:
        op.execute(f"DROP TYPE {name}")
