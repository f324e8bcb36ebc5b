"""Where each table stands in the picture, and what columns refer to that no foreign key ties."""

from collections.abc import Mapping, Sequence

AREAS: Mapping[str, Sequence[Sequence[str]]] = {
    "Observational: with what, of what, for whom": (
        ("observatory", "telescope", "instrument", "instrument_module"),
        (
            "instrument_module_configuration",
            "chai_module_configuration",
            "prime_cam_module_configuration",
            "line",
        ),
        (
            "observation_configuration",
            "chai_observation_configuration",
            "prime_cam_observation_configuration",
            "chai_inpar_parameter",
            "chai_tiling",
        ),
        ("source", "fixed_source", "solar_system_object", "constant_elevation_source", "obs_mode"),
        ("observing_program", "sub_observing_program", "obs_unit"),
        ("executed_obs_unit", "pre_scheduled_slot"),
    ),
    "Data: files, packages, bundles and their ways": (
        ("raw_data_file", "unfiled_file"),
        ("raw_data_package", "raw_data_package_metadata"),
        ("data_transfer_package", "bundled_package", "data_transfer", "data_transfer_log"),
        ("long_term_archive_transfer", "long_term_archive_transfer_log"),
        ("staging_job", "staging_job_package", "staging_job_log"),
        ("asn_association", "asn_members", "asn_product_link", "asn_exposure"),
    ),
    "A telescope network: devices, tasks and assets": (
        ("device", "camera"),
        ("optical_imaging_task", "observation_task_assignment_history"),
        ("observation_asset", "observation_asset_task_info"),
        (
            "observation_asset_render_run",
            "observation_asset_processing_run",
            "observation_asset_analysis_run",
        ),
    ),
    "Storage: where data is": (
        ("site", "data_archive"),
        ("data_location", "disk_data_location", "s3_data_location", "tape_data_location"),
        ("data_transfer_route", "deletion_hold"),
        ("physical_copy",),
        (
            "raw_data_file_physical_copy",
            "raw_data_package_physical_copy",
            "data_transfer_package_physical_copy",
        ),
    ),
    "People, and what was said and done": (
        ("user", "user_role"),
        ("role", "role_permission"),
        ("api_token", "api_token_use"),
        ("system_log", "stream_position"),
        ("event_record",),
        ("dead_letter",),
    ),
}
"""Tables by area and column."""

BY_NAME = {
    "site": "site",
    "location": "data_location",
    "source_location": "data_location",
    "origin_location": "data_location",
    "destination_location": "data_location",
    "origin": "site",
    "destination": "site",
    "route": "data_transfer_route",
    "instrument": "instrument",
    "association_id": "asn_association",
}
"""What columns of these names refer to, where no foreign key says it: rows of different streams are not tied."""

TOLD = {"applied_at", "applied_by", "told_at", "told_by", "described_at", "described_by"}
