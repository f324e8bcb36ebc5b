"""StagingJob: archived data brought to a PROCESSING location for a while."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field, model_validator

from contracts.base import ByteCount, Event, Message, Name, RelativePath, Utc, derived_id
from contracts.problems import Problem


class Selection(Message):
    """What to stage: whole observations, whole packages, single files, or any mixture of these."""

    executed_obs_unit_ids: tuple[UUID, ...] = ()
    package_ids: tuple[UUID, ...] = ()
    file_ids: tuple[UUID, ...] = ()

    @model_validator(mode="after")
    def _not_empty(self) -> "Selection":
        if not (self.executed_obs_unit_ids or self.package_ids or self.file_ids):
            raise ValueError("name at least one observation, package or file")
        return self


class RequestStaging(Message):
    """Request: bring this to a PROCESSING location.

    Attributes:
        location: The PROCESSING location; the site's first active one if left out.
        keep_for_s: Seconds after completion until the copy expires; the location's retention if left out.
    """

    selection: Selection
    requested_by: str = Field(min_length=1, max_length=250)
    location: Name | None = None
    keep_for_s: float | None = Field(default=None, gt=0)


class StagingRequested(Event):
    """Somebody asked for archived data."""

    entity = "staging"
    fact = "requested"

    job_id: UUID
    selection: Selection
    requested_by: str
    requested_at: Utc
    location: Name
    folder: RelativePath
    keep_for_s: float | None = None

    def identity(self) -> tuple[object, ...]:
        return (self.job_id,)

    def about(self) -> UUID:
        return self.job_id


class StagingCompleted(Event):
    """Everything that was asked for is unpacked and verified."""

    entity = "staging"
    fact = "completed"

    job_id: UUID
    location: Name
    folder: RelativePath
    packages: int = Field(ge=0)
    files: int = Field(ge=0)
    payload_bytes: ByteCount
    expires_at: Utc | None = None

    def identity(self) -> tuple[object, ...]:
        return (self.job_id,)

    def about(self) -> UUID:
        return self.job_id


class StagingFailed(Event):
    """The job was given up; what it had staged is released."""

    entity = "staging"
    fact = "failed"

    job_id: UUID
    location: Name
    problem: Problem

    def identity(self) -> tuple[object, ...]:
        return (self.job_id,)

    def about(self) -> UUID:
        return self.job_id


class ReleaseReason(StrEnum):
    """Why a staged copy is no longer needed."""

    RELEASED = "released"
    """Its owner said so."""
    EXPIRED = "expired"
    """Its time was up."""


class StagingReleased(Event):
    """A job's staged copies may go."""

    entity = "staging"
    fact = "released"

    job_id: UUID
    location: Name
    folder: RelativePath
    reason: ReleaseReason

    def identity(self) -> tuple[object, ...]:
        return (self.job_id,)

    def about(self) -> UUID:
        return self.job_id


def job_id(request: RequestStaging, requested_at: object) -> UUID:
    """The id of a staging job: who asked for what, when."""
    return derived_id("staging_job", request.model_dump_json(), requested_at)
