"""Archived data brought back for a while."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from contracts.states import WorkState
from libs.opsdb.models.base import Base, WithProblem


class StagingJob(WithProblem, Base):
    """What somebody asked for, where it is put, and until when.

    Attributes:
        selection: As `contracts.staging.Selection`.
        folder: Relative to the root of the PROCESSING location.
        payload_bytes: Sum of its files' sizes.
        keep_for_s: Seconds to keep it after completion; null for the location's retention.
        released_at: When it was given back or expired (`release_reason`); null while it is kept.
    """

    __tablename__ = "staging_job"
    __table_args__ = (Index(None, "state"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    requested_by: Mapped[str | None]
    requested_at: Mapped[datetime | None]
    location: Mapped[str | None]
    folder: Mapped[str | None]
    selection: Mapped[dict[str, Any] | None]
    keep_for_s: Mapped[float | None]
    state: Mapped[WorkState | None]
    packages: Mapped[int | None]
    files: Mapped[int | None]
    payload_bytes: Mapped[int | None]
    completed_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]
    release_reason: Mapped[str | None]


class StagingJobPackage(Base):
    """A package that a job has unpacked and verified, whole or in part.

    Attributes:
        folder: Where, relative to the root of the PROCESSING location.
        payload_bytes: Sum of the sizes of its files that were asked for.
    """

    __tablename__ = "staging_job_package"
    __table_args__ = (Index(None, "raw_data_package_id"),)

    staging_job_id: Mapped[UUID] = mapped_column(primary_key=True)
    raw_data_package_id: Mapped[UUID] = mapped_column(primary_key=True)
    folder: Mapped[str | None]
    file_count: Mapped[int | None]
    payload_bytes: Mapped[int | None]
    staged_at: Mapped[datetime | None]
