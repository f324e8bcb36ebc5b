"""What the gateway tells of observations, files, packages and bundles: ops-db's rows in its own nouns."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Json, JsonValue, model_validator

from contracts.problems import Problem
from contracts.states import (
    CopyState,
    FileState,
    ObservationState,
    PackageState,
    PreviewState,
    WorkState,
)
from libs.insight.explain import problem_of


class Record(BaseModel):
    """A row. Nearly everything may be None: other sites' events may not have arrived here yet."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def of(cls, row: Mapping[str, Any] | Any, **more: Any) -> Self:  # noqa: ANN401  a row, which asyncpg does not call a Mapping
        """The record of a row."""
        return cls.model_validate({**dict(row), **more})


class RecordWithProblem(Record):
    """A row with the three columns of a problem."""

    problem: Problem | None = None

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, row: dict[str, Any]) -> dict[str, Any]:
        return {"problem": problem_of(row), **row}


class Picture(Record):
    """A file that has a thumbnail; `etag` changes when the picture does."""

    file_id: UUID
    etag: str | None


class ObservationRecord(Record):
    """An ExecutedObsUnit.

    Attributes:
        ra_deg: ICRS, degrees, as is `dec_deg`.
        file_count: Once it is finished.
        pictures: Some of its files that have one.
    """

    id: UUID
    site: str | None
    instrument: str | None
    obs_unit: str | None
    observing_program: str | None
    obs_mode: str | None
    target_name: str | None
    ra_deg: float | None
    dec_deg: float | None
    conditions: Json[dict[str, JsonValue]] | None
    quality: str | None
    state: ObservationState | None
    start_time: datetime | None
    end_time: datetime | None
    filed_at: datetime | None
    finished_at: datetime | None
    file_count: int | None
    pictures: tuple[Picture, ...] = ()


class ObservationDetail(ObservationRecord):
    """An ExecutedObsUnit with what became of its files; numbers by state."""

    files: dict[str, int]
    packages: dict[str, int]


class FileRecord(RecordWithProblem):
    """A RawDataFile.

    Attributes:
        path: Relative to the root of `location`.
        mtime_ns: Nanoseconds since 1970.
        tar_offset: Where its first byte stands in its package.
    """

    id: UUID
    executed_obs_unit_id: UUID | None
    instrument: str | None
    instrument_module: str | None
    location: str | None
    path: str | None
    declared_size: int | None
    declared_sha256: str | None
    size: int | None
    mtime_ns: int | None
    sha256: str | None
    state: FileState | None
    raw_data_package_id: UUID | None
    tar_offset: int | None
    filed_at: datetime | None
    scanned_at: datetime | None
    packaged_at: datetime | None
    preview_state: PreviewState
    preview_code: str | None
    preview_reason: str | None
    preview_etag: str | None
    preview_width: int | None
    preview_height: int | None


class CopyRecord(Record):
    """A PhysicalCopy; `path` is relative to the location's root, a key on S3.

    Attributes:
        stays_because: Why it was not deleted, as last looked at.
    """

    id: UUID
    location: str | None
    path: str | None
    size: int | None
    state: CopyState | None
    created_at: datetime | None
    verified_at: datetime | None
    deleted_at: datetime | None
    stays_because: Problem | None = None

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, row: dict[str, Any]) -> dict[str, Any]:
        return {"stays_because": problem_of(row, "refusal"), **row}


class PackageRecord(RecordWithProblem):
    """A RawDataPackage and where it is."""

    id: UUID
    executed_obs_unit_id: UUID | None
    instrument: str | None
    instrument_module: str | None
    number: int | None
    name: str | None
    size: int | None
    sha256: str | None
    file_count: int | None
    payload_bytes: int | None
    priority: int | None
    state: PackageState | None
    planned_at: datetime | None
    sealed_at: datetime | None
    verified_at: datetime | None
    archived_at: datetime | None
    data_transfer_package_id: UUID | None
    copies: tuple[CopyRecord, ...] = ()


class TransferRecord(RecordWithProblem):
    """One hop of a bundle."""

    id: UUID
    engine: str | None
    origin: str | None
    destination: str | None
    origin_location: str | None
    destination_location: str | None
    size: int | None
    state: WorkState | None
    started_at: datetime | None
    completed_at: datetime | None
    seconds: float | None


class BundleRecord(Record):
    """A DataTransferPackage and its hops."""

    id: UUID
    route: str | None
    origin: str | None
    destination: str | None
    priority: int | None
    reason: str | None
    size: int | None
    package_count: int | None
    state: WorkState | None
    sealed_at: datetime | None
    received_at: datetime | None
    transfers: tuple[TransferRecord, ...] = ()
