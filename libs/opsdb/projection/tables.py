"""The tables as the projector writes them: keys, types and merge policies.

Names and types come from the models; what is declared here is how a column is merged.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy
from sqlalchemy import Enum
from sqlalchemy.dialects import postgresql

from contracts.skynet.states import RunKind
from contracts.states import PackageState, WorkState
from libs.opsdb.catalog import SHAPES
from libs.opsdb.connecting import quoted
from libs.opsdb.models import METADATA
from libs.opsdb.projection.policies import Guarded, Policies, Policy, Versioned

NOTHING_BIT = 1
"""The bit of a row that is not there, or whose state is null."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table to write to. Compared by identity: there is one object per table.

    Attributes:
        name: Its name in PostgreSQL.
        key: The columns of its primary key.
        types: The SQL type of every column.
        wire: The type in which a column's values are sent, if it is another (enums and JSON go as text).
        states: The labels of its state column.
        bit_of: The bit of each state in a guard.
        policies: How its columns are merged.
        copyable: Whether values can be sent as they are: arrays go as text.
    """

    name: str
    key: tuple[str, ...]
    types: dict[str, str]
    wire: dict[str, str]
    states: tuple[str, ...]
    bit_of: Mapping[object, int]
    policies: Policies
    copyable: bool

    @property
    def quoted(self) -> str:
        """Its name as SQL has it: one of them is a reserved word."""
        return quoted(self.name)

    def bits(self, *states: str) -> int:
        """A guard: these states, and a row that is not there or has none."""
        return NOTHING_BIT | sum(self.bit_of[state] for state in states)


WORK_ORDER = tuple(
    state.value
    for state in (
        WorkState.PENDING,
        WorkState.SCHEDULED,
        WorkState.IN_PROGRESS,
        WorkState.FAILED,
        WorkState.COMPLETED,
    )
)
"""A failure told late, or by another site, never hides that the work was completed."""

PROBLEM = ("problem_code", "problem_reason", "problem_remedy")
REFUSAL = ("refusal_code", "refusal_reason", "refusal_remedy")


def _by_latest(told: str, *columns: str) -> Policies:
    return Policies(versioned=(_newest(told, *columns),))


def _newest(told: str, *columns: str) -> Versioned:
    return Versioned((f"{told}_at", f"{told}_by"), columns)


CURRENT_RUNS: Mapping[RunKind, Versioned] = {
    RunKind.RENDER: Versioned(
        ("current_render_run_number", "current_render_run_id"), ("thumbnail_file_id", "preview_file_id")
    ),
    RunKind.PROCESSING: Versioned(
        ("current_processing_run_number", "current_processing_run_id"), ("current_processing_output_id",)
    ),
    RunKind.ANALYSIS: Versioned(("current_analysis_run_number", "current_analysis_run_id"), ()),
}
"""An asset's pointers to the newest of its completed runs, with what that run made."""


def _others(name: str, version: tuple[str, str], *groups: Versioned) -> Policies:
    """Of a row that is told in full but for some groups with versions of their own."""
    model = METADATA.tables[name]
    apart = {*version, *(c.name for c in model.primary_key), *(c for group in groups for c in group.all)}
    columns = tuple(c.name for c in model.columns if c.name not in apart)
    return Policies(versioned=(Versioned(version, columns), *groups))


def _by_turn(name: str) -> Policies:
    return _others(name, ("turn", "told_by"))


def _whole(name: str, *version: str) -> Policies:
    """Of a row that is told in full: every column beside its key is of the version.

    Args:
        name: Of the table.
        version: The columns that make the version; those of the mixin that the model has, if left out.
    """
    model = METADATA.tables[name]
    told = "told" if "told_at" in model.columns else "applied"
    first, last = version or (f"{told}_at", f"{told}_by")
    others = (c.name for c in model.columns if not c.primary_key and c.name not in {first, last})
    return Policies(versioned=(Versioned((first, last), tuple(others)),))


CATALOG = tuple(
    dict.fromkeys(
        table
        for shape in SHAPES
        for table in (shape.table, shape.subtype)
        if table not in {None, "instrument"}
    )
)
"""Tables that the catalog alone tells, each after those that it refers to."""


_POLICIES: dict[str, Policies] = {
    "executed_obs_unit": Policies({"state": Policy.ABSORB}, order=("running", "finished", "aborted")),
    "raw_data_file": Policies(
        guarded=(
            Guarded(("state", *PROBLEM, "raw_data_package_id")),
            Guarded(("size", "mtime_ns", "scanned_at")),
        ),
    ),
    "raw_data_package": Policies(
        {"state": Policy.ABSORB, "verified_at": Policy.EARLIEST, "archived_at": Policy.EARLIEST},
        order=tuple(state.value for state in PackageState),
        versioned=(Versioned(("problem_at", "problem_by"), PROBLEM, void_in=PackageState.ARCHIVED),),
    ),
    "data_transfer_package": Policies(
        {"state": Policy.ABSORB, "received_at": Policy.EARLIEST}, order=WORK_ORDER
    ),
    "bundled_package": Policies({"attempt": Policy.FIXED}),
    "physical_copy": Policies(
        dict.fromkeys(("kind", "entity_id", "location"), Policy.FIXED),
        guarded=(
            Guarded(("state",)),
            Guarded(REFUSAL),
            Guarded(("refused_at",)),
            Guarded(("scheduled_at",)),
            Guarded(("deleted_at",)),
        ),
    ),
    "raw_data_file_physical_copy": Policies({"raw_data_file_id": Policy.FIXED}),
    "raw_data_package_physical_copy": Policies({"raw_data_package_id": Policy.FIXED}),
    "data_transfer_package_physical_copy": Policies({"data_transfer_package_id": Policy.FIXED}),
    "data_transfer": Policies({"state": Policy.ABSORB}, order=WORK_ORDER),
    "staging_job": Policies({"state": Policy.ABSORB}, order=WORK_ORDER),
    "deletion_hold": _by_latest("released", "release_reason"),
    "asn_exposure": _whole("asn_exposure", "named_at", "told_by"),
    "asn_association": _whole("asn_association", "turn", "told_by"),
    "asn_members": _whole("asn_members", "turn", "told_by"),
    "site": _by_latest("applied", "description"),
    "data_location": _by_latest("applied", "site", "location_type", "storage_type", "priority", "active"),
    "disk_data_location": _by_latest("told", "path"),
    "s3_data_location": _by_latest("told", "endpoint", "bucket"),
    "tape_data_location": _by_latest("told", "library"),
    "instrument": Policies(
        versioned=(
            _newest("applied", "site", "source_location", "folder", "available", "package_limit"),
            _newest("described", "telescope", "description", "retired"),
        )
    ),
    "api_token": Policies({"revoked_at": Policy.EARLIEST}),
    "data_transfer_route": _by_latest("applied", "route_type", "origin", "destination", "via"),
    **{name: _whole(name) for name in CATALOG},
    "device": _others("device", ("revision", "registered_by")),
    "camera": _others("camera", ("camera_revision", "camera_told_by")),
    "optical_imaging_task": _by_turn("optical_imaging_task"),
    "observation_task_assignment_history": _by_turn("observation_task_assignment_history"),
    "observation_asset": _others("observation_asset", ("turn", "told_by"), *CURRENT_RUNS.values()),
    **{f"observation_asset_{kind}_run": _by_turn(f"observation_asset_{kind}_run") for kind in RunKind},
}


def _table(name: str) -> Table:
    model = METADATA.tables[name]
    types = {column.name: _sql_type(column.type) for column in model.columns}
    wire = {c.name: "text" for c in model.columns if isinstance(c.type, Enum | postgresql.JSONB)}
    wire.update({c.name: "text" for c in model.columns if isinstance(c.type, postgresql.ARRAY)})
    state = model.columns.get("state")
    states = tuple(state.type.enums) if state is not None and isinstance(state.type, Enum) else ()
    return Table(
        name=name,
        key=tuple(column.name for column in model.primary_key),
        types=types,
        wire=wire,
        states=states,
        bit_of={label: 2 << n for n, label in enumerate(states)},
        policies=_POLICIES.get(name, Policies()),
        copyable=not any(isinstance(column.type, postgresql.ARRAY) for column in model.columns),
    )


def _sql_type(kind: sqlalchemy.types.TypeEngine[object]) -> str:
    return kind.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]


CATALOG_TABLES: Mapping[str, Table] = {name: _table(name) for name in CATALOG}

SITE = _table("site")
DATA_LOCATION = _table("data_location")
DISK_DATA_LOCATION = _table("disk_data_location")
S3_DATA_LOCATION = _table("s3_data_location")
TAPE_DATA_LOCATION = _table("tape_data_location")
INSTRUMENT = _table("instrument")
INSTRUMENT_MODULE = CATALOG_TABLES["instrument_module"]
OBSERVING_PROGRAM = CATALOG_TABLES["observing_program"]
OBS_UNIT = CATALOG_TABLES["obs_unit"]
USER = CATALOG_TABLES["user"]
DATA_TRANSFER_ROUTE = _table("data_transfer_route")
EXECUTED_OBS_UNIT = _table("executed_obs_unit")
RAW_DATA_FILE = _table("raw_data_file")
UNFILED_FILE = _table("unfiled_file")
RAW_DATA_PACKAGE = _table("raw_data_package")
DATA_TRANSFER_PACKAGE = _table("data_transfer_package")
BUNDLED_PACKAGE = _table("bundled_package")
DATA_TRANSFER = _table("data_transfer")
LONG_TERM_ARCHIVE_TRANSFER = _table("long_term_archive_transfer")
STAGING_JOB = _table("staging_job")
STAGING_JOB_PACKAGE = _table("staging_job_package")
PHYSICAL_COPY = _table("physical_copy")
RAW_DATA_FILE_PHYSICAL_COPY = _table("raw_data_file_physical_copy")
RAW_DATA_PACKAGE_PHYSICAL_COPY = _table("raw_data_package_physical_copy")
DATA_TRANSFER_PACKAGE_PHYSICAL_COPY = _table("data_transfer_package_physical_copy")
DEAD_LETTER = _table("dead_letter")
DELETION_HOLD = _table("deletion_hold")
ASN_EXPOSURE = _table("asn_exposure")
ASN_ASSOCIATION = _table("asn_association")
ASN_MEMBERS = _table("asn_members")
ASN_PRODUCT_LINK = _table("asn_product_link")
API_TOKEN = _table("api_token")
API_TOKEN_USE = _table("api_token_use")
RAW_DATA_PACKAGE_METADATA = _table("raw_data_package_metadata")
DATA_TRANSFER_LOG = _table("data_transfer_log")
LONG_TERM_ARCHIVE_TRANSFER_LOG = _table("long_term_archive_transfer_log")
STAGING_JOB_LOG = _table("staging_job_log")
SYSTEM_LOG = _table("system_log")
DEVICE = _table("device")
CAMERA = _table("camera")
OPTICAL_IMAGING_TASK = _table("optical_imaging_task")
OBSERVATION_TASK_ASSIGNMENT_HISTORY = _table("observation_task_assignment_history")
OBSERVATION_ASSET = _table("observation_asset")
OBSERVATION_ASSET_TASK_INFO = _table("observation_asset_task_info")
ASSET_RUNS: Mapping[RunKind, Table] = {kind: _table(f"observation_asset_{kind}_run") for kind in RunKind}

WRITE_ORDER: tuple[Table, ...] = (
    SITE,
    DATA_LOCATION,
    DISK_DATA_LOCATION,
    S3_DATA_LOCATION,
    TAPE_DATA_LOCATION,
    CATALOG_TABLES["observatory"],
    CATALOG_TABLES["telescope"],
    INSTRUMENT,
    *(table for name, table in CATALOG_TABLES.items() if name not in ("observatory", "telescope")),
    DATA_TRANSFER_ROUTE,
    EXECUTED_OBS_UNIT,
    RAW_DATA_FILE,
    UNFILED_FILE,
    RAW_DATA_PACKAGE,
    RAW_DATA_PACKAGE_METADATA,
    DATA_TRANSFER_PACKAGE,
    BUNDLED_PACKAGE,
    DATA_TRANSFER,
    LONG_TERM_ARCHIVE_TRANSFER,
    STAGING_JOB,
    STAGING_JOB_PACKAGE,
    PHYSICAL_COPY,
    RAW_DATA_FILE_PHYSICAL_COPY,
    RAW_DATA_PACKAGE_PHYSICAL_COPY,
    DATA_TRANSFER_PACKAGE_PHYSICAL_COPY,
    DEAD_LETTER,
    DELETION_HOLD,
    ASN_EXPOSURE,
    ASN_ASSOCIATION,
    ASN_MEMBERS,
    ASN_PRODUCT_LINK,
    API_TOKEN,
    API_TOKEN_USE,
    DATA_TRANSFER_LOG,
    LONG_TERM_ARCHIVE_TRANSFER_LOG,
    STAGING_JOB_LOG,
    SYSTEM_LOG,
    DEVICE,
    CAMERA,
    OPTICAL_IMAGING_TASK,
    OBSERVATION_TASK_ASSIGNMENT_HISTORY,
    OBSERVATION_ASSET,
    OBSERVATION_ASSET_TASK_INFO,
    *ASSET_RUNS.values(),
)
"""The one order in which tables are written: supertypes before subtypes, and no two writers can deadlock."""
