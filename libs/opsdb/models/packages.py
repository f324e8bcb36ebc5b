"""Packages of raw data."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from contracts.states import PackageState
from libs.opsdb.models.base import MUCH_UPDATED, Base, WithProblem


class RawDataPackage(WithProblem, Base):
    """A tar of one unit's and module's files.

    Attributes:
        number: Counts the plans of one unit and module from 1.
        size: Bytes of the tar; `sha256` is the tar's, too.
        payload_bytes: Sum of the files' sizes.
        priority: Lower first.
        provenance: As `contracts.packages.Provenance`.
        verified_at: When it was first verified at a destination.
        archived_at: When it was first proven to be in an archive.
        data_transfer_package_id: The bundle it was put in last at the site where it was sealed.
        problem_at: Time of the event that last set or cleared the problem; `problem_by` is that event's id.
            An archived package has no problem.
    """

    __tablename__ = "raw_data_package"
    __table_args__ = (
        Index(None, "executed_obs_unit_id"),
        Index(None, "data_transfer_package_id"),
        Index(None, "state"),
        {"postgresql_with": MUCH_UPDATED},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    executed_obs_unit_id: Mapped[UUID | None]
    instrument: Mapped[str | None]
    instrument_module: Mapped[str | None]
    number: Mapped[int | None]
    name: Mapped[str | None]
    size: Mapped[int | None]
    sha256: Mapped[str | None]
    file_count: Mapped[int | None]
    payload_bytes: Mapped[int | None]
    priority: Mapped[int | None]
    state: Mapped[PackageState | None]
    source_location: Mapped[str | None]
    provenance: Mapped[dict[str, Any] | None]
    planned_at: Mapped[datetime | None]
    sealed_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    data_transfer_package_id: Mapped[UUID | None]
    problem_at: Mapped[datetime | None]
    problem_by: Mapped[UUID | None]
