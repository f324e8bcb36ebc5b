"""Bundles, their hops between sites, and what went into the archives."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from contracts.states import WorkState
from libs.opsdb.models.base import Base, WithProblem


class DataTransferPackage(Base):
    """A bundle: packages that travel together. A manifest, never a second tar.

    Attributes:
        reason: Why it was closed when it was (`contracts.bundles.SealReason`).
        size: Sum of its packages' bytes.
        state: Completed once everything of it was read at its destination; stays so.
    """

    __tablename__ = "data_transfer_package"
    __table_args__ = (Index(None, "route", "state"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    route: Mapped[str | None]
    origin: Mapped[str | None]
    destination: Mapped[str | None]
    priority: Mapped[int | None]
    reason: Mapped[str | None]
    size: Mapped[int | None]
    package_count: Mapped[int | None]
    state: Mapped[WorkState | None]
    sealed_at: Mapped[datetime | None]
    received_at: Mapped[datetime | None]


class BundledPackage(Base):
    """This package is in that bundle.

    Attributes:
        attempt: For the how-manieth time the package travels, from 1.
    """

    __tablename__ = "bundled_package"
    __table_args__ = (Index(None, "raw_data_package_id"),)

    data_transfer_package_id: Mapped[UUID] = mapped_column(primary_key=True)
    raw_data_package_id: Mapped[UUID] = mapped_column(primary_key=True)
    attempt: Mapped[int | None]


class DataTransfer(WithProblem, Base):
    """One hop of a bundle from buffer to buffer.

    Attributes:
        origin: The site it leaves; `origin_location` is the buffer there, `destination_location` the other one.
        size: Bytes to move.
        seconds: How long moving took.
    """

    __tablename__ = "data_transfer"
    __table_args__ = (
        Index(None, "data_transfer_package_id"),
        Index(None, "state"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    data_transfer_package_id: Mapped[UUID | None]
    route: Mapped[str | None]
    engine: Mapped[str | None]
    origin: Mapped[str | None]
    destination: Mapped[str | None]
    origin_location: Mapped[str | None]
    destination_location: Mapped[str | None]
    size: Mapped[int | None]
    state: Mapped[WorkState | None]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    seconds: Mapped[float | None]


class LongTermArchiveTransfer(Base):
    """A package on its way into, or in, one archive; the id derives from package and location.

    Attributes:
        key: The object's name; `sidecar_key` is that of its metadata.
        proof_mode: How it was proven (`contracts.packages.ProofMode`); it was at `proven_at`.
        bytes_read: Bytes read back for the proof.
    """

    __tablename__ = "long_term_archive_transfer"
    __table_args__ = (Index(None, "raw_data_package_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    raw_data_package_id: Mapped[UUID | None]
    location: Mapped[str | None]
    bucket: Mapped[str | None]
    key: Mapped[str | None]
    sidecar_key: Mapped[str | None]
    state: Mapped[WorkState | None]
    proof_mode: Mapped[str | None]
    proven_at: Mapped[datetime | None]
    bytes_read: Mapped[int | None]
    completed_at: Mapped[datetime | None]
