"""Packages of raw data."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from contracts.states import PackageState
from libs.opsdb.models.base import MUCH_UPDATED, Base, TableArguments, WithProblem


class RawDataPackage(WithProblem, Base):
    """A tar of one unit's and module's files.

    Attributes:
        number: Counts the plans of one unit and module from 1.
        size: Bytes of the tar; `sha256` is the tar's, too.
        payload_bytes: Sum of the files' sizes.
        source_location: Where its files were read.
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


class RawDataPackageMetadata(Base):
    """What a package is about, for catalogues of the Virtual Observatory, as far as it is known when it is sealed.

    Attributes:
        observing_program: As the instrument filed it; so are `obs_unit`, `obs_mode` and `target_name`.
        ra_deg: Right ascension of the target, ICRS, degrees.
        dec_deg: Declination of the target, ICRS, degrees.
        start_time: Of the observation; so is `end_time`.
        instrument_parameters: What the instrument says about itself, free keys.
        quality_metrics: What was measured about the data, free keys.
        extended_provenance: As `contracts.packages.Provenance`.
        custom: Whatever else, free keys.
    """

    __tablename__ = "raw_data_package_metadata"
    __table_args__: TableArguments = (
        Index(None, "target_name"),
        Index(None, "start_time"),
        Index(None, "dec_deg", "ra_deg"),
    )

    raw_data_package_id: Mapped[UUID] = mapped_column(primary_key=True)
    observatory: Mapped[str | None]
    telescope: Mapped[str | None]
    instrument: Mapped[str | None]
    instrument_module: Mapped[str | None]
    observing_program: Mapped[str | None]
    obs_unit: Mapped[str | None]
    obs_mode: Mapped[str | None]
    target_name: Mapped[str | None]
    ra_deg: Mapped[float | None]
    dec_deg: Mapped[float | None]
    start_time: Mapped[datetime | None]
    end_time: Mapped[datetime | None]
    instrument_parameters: Mapped[dict[str, Any] | None]
    quality_metrics: Mapped[dict[str, Any] | None]
    extended_provenance: Mapped[dict[str, Any] | None]
    custom: Mapped[dict[str, Any] | None]
