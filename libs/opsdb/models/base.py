"""What the tables share: types, the enums of `contracts.states`, and the columns of a problem.

Nearly every column may be null: a row begins as a stub when an event of one site speaks of something whose
other facts come from another site's stream. For the same reason rows of different streams are not tied by
foreign keys; only those are that are written together: the subtypes of a joined inheritance, and what the catalog
tells with whatever it refers to, for which a row of its key alone is made if there is none.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    Enum,
    ForeignKeyConstraint,
    Index,
    Interval,
    MetaData,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped

from contracts.association_states import (
    AssociationOrigin,
    AssociationState,
    CollectionReason,
    MemberStatus,
    ProductStatus,
)
from contracts.kinds import FrequencyUnit, InstrumentFamily, ScanPattern, Sideband, SourceType
from contracts.skynet.states import (
    AssetRole,
    CoolerPolicy,
    DeviceType,
    RunState,
    TaskStatus,
    TaskType,
    TransferState,
)
from contracts.states import (
    CopyKind,
    CopyState,
    FailureKind,
    FileState,
    HoldKind,
    LetterState,
    LocationType,
    ObservationState,
    PackageState,
    PreviewState,
    RouteType,
    StorageType,
    WorkState,
)

ENUMS: dict[type[StrEnum], str] = {
    LocationType: "location_type",
    StorageType: "storage_type",
    RouteType: "route_type",
    ObservationState: "observation_state",
    FileState: "file_state",
    PackageState: "package_state",
    WorkState: "work_state",
    CopyKind: "copy_kind",
    CopyState: "copy_state",
    PreviewState: "preview_state",
    FailureKind: "failure_kind",
    LetterState: "letter_state",
    HoldKind: "hold_kind",
    AssociationState: "association_state",
    AssociationOrigin: "association_origin",
    CollectionReason: "collection_reason",
    MemberStatus: "member_status",
    ProductStatus: "product_status",
    SourceType: "source_type",
    InstrumentFamily: "instrument_family",
    FrequencyUnit: "frequency_unit",
    Sideband: "sideband",
    ScanPattern: "scan_pattern",
    AssetRole: "asset_role",
    TransferState: "transfer_state",
    RunState: "run_state",
    TaskType: "task_type",
    TaskStatus: "task_status",
    DeviceType: "device_type",
    CoolerPolicy: "cooler_policy",
}
"""The name in PostgreSQL of each enum of the contracts."""

TableArguments = tuple[
    Index | UniqueConstraint | CheckConstraint | ForeignKeyConstraint | dict[str, dict[str, int]], ...
]
"""The type of a model's `__table_args__`."""

MUCH_UPDATED = {"fillfactor": 80}
"""Room in each page for the next version of a row, for tables whose rows pass through many states."""


def values_of(members: type[StrEnum]) -> list[str]:
    """The labels of an enum, in the order in which PostgreSQL is to compare them."""
    return [member.value for member in members]


class Base(DeclarativeBase):
    """Maps Python types to PostgreSQL's, and names every constraint."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads this attribute as it stands
        str: Text(),
        int: BigInteger(),
        float: Double(),
        datetime: DateTime(timezone=True),
        timedelta: Interval(),
        UUID: Uuid(),
        list[str]: ARRAY(Text()),
        dict[str, Any]: JSONB(),
        **{members: Enum(members, name=name, values_callable=values_of) for members, name in ENUMS.items()},
    }


class WithProblem:
    """What is wrong, told as `contracts.problems.Problem`; all null while nothing is.

    Attributes:
        problem_code: Its stable name; `problem_reason` and `problem_remedy` are for people.
    """

    problem_code: Mapped[str | None]
    problem_reason: Mapped[str | None]
    problem_remedy: Mapped[str | None]


class WithVersion:
    """Rows that every site tells in full: the latest telling counts.

    Attributes:
        applied_at: Time of the event that told it.
        applied_by: Id of that event; decides between equal times.
    """

    applied_at: Mapped[datetime | None]
    applied_by: Mapped[UUID | None]


class WithOwnVersion:
    """As `WithVersion`, for the subtypes of such rows, which are merged by themselves.

    Attributes:
        told_at: Time of the event that told it.
        told_by: Id of that event; decides between equal times.
    """

    told_at: Mapped[datetime | None]
    told_by: Mapped[UUID | None]


class Registered(WithVersion):
    """Rows of the catalog: each is told in full, and the latest telling counts.

    Attributes:
        retired: It is no longer used; what refers to it keeps doing so. Null while it is not registered.
    """

    retired: Mapped[bool | None]
