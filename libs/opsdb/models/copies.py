"""What exists where."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from contracts.states import CopyKind, CopyState
from libs.opsdb.models.base import MUCH_UPDATED, Base, TableArguments


class PhysicalCopy(Base):
    """This thing exists, or existed, at this location; its subtype says which thing.

    All events about one copy happen at the site of its location, hence in one stream.

    Attributes:
        id: `contracts.copies.copy_id` of kind, entity and location.
        entity_id: Of the file, package or bundle, by `kind`.
        path: Relative to the location's root; a key on S3.
        verified_at: When its bytes were last read and matched their checksums.
        state: As `contracts.states.COPY_STEPS` has it.
        refusal_code: Why it may not be deleted, as last looked at; null when it never was, or is new, about to go or
            gone.
        refused_at: When it was last refused, also while it is about to go.
        scheduled_at: When its deletion was last announced; null for new bytes.
        scrubbed_at: When it was last read in full after it was archived.
        scrub_problem_code: What the last scrub found; null if the copy was whole, or was repaired since.
        repaired_at: When it was last written anew from a good copy; that one was at `repaired_from`.
        unrepairable_at: When no good copy was found to write it anew from; null unless it still needs one.
    """

    __tablename__ = "physical_copy"
    __table_args__: TableArguments = (
        Index(None, "entity_id"),
        Index(None, "location", "state"),
        Index(
            "ix_physical_copy_there",
            "location",
            "created_at",
            "id",
            postgresql_where=text("state <> 'deleted'"),
        ),
        {"postgresql_with": MUCH_UPDATED},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[CopyKind | None]
    entity_id: Mapped[UUID | None]
    location: Mapped[str | None]
    path: Mapped[str | None]
    size: Mapped[int | None]
    state: Mapped[CopyState | None]
    created_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    refusal_code: Mapped[str | None]
    refusal_reason: Mapped[str | None]
    refusal_remedy: Mapped[str | None]
    refused_at: Mapped[datetime | None]
    scrubbed_at: Mapped[datetime | None]
    scrub_problem_code: Mapped[str | None]
    scrub_problem_reason: Mapped[str | None]
    scrub_problem_remedy: Mapped[str | None]
    scheduled_at: Mapped[datetime | None]
    repaired_at: Mapped[datetime | None]
    repaired_from: Mapped[str | None]
    unrepairable_at: Mapped[datetime | None]

    __mapper_args__ = {"polymorphic_on": "kind"}  # noqa: RUF012 - read by SQLAlchemy


class RawDataFilePhysicalCopy(PhysicalCopy):
    """A copy of a file."""

    __tablename__ = "raw_data_file_physical_copy"
    __table_args__: TableArguments = (Index(None, "raw_data_file_id"),)

    id: Mapped[UUID] = mapped_column(ForeignKey("physical_copy.id"), primary_key=True)
    raw_data_file_id: Mapped[UUID]

    __mapper_args__ = {"polymorphic_identity": CopyKind.RAW_DATA_FILE}  # noqa: RUF012 - read by SQLAlchemy


class RawDataPackagePhysicalCopy(PhysicalCopy):
    """A copy of a package: its tar, or its payload where it is staged."""

    __tablename__ = "raw_data_package_physical_copy"
    __table_args__: TableArguments = (Index(None, "raw_data_package_id"),)

    id: Mapped[UUID] = mapped_column(ForeignKey("physical_copy.id"), primary_key=True)
    raw_data_package_id: Mapped[UUID]

    __mapper_args__ = {"polymorphic_identity": CopyKind.RAW_DATA_PACKAGE}  # noqa: RUF012 - read by SQLAlchemy


class DataTransferPackagePhysicalCopy(PhysicalCopy):
    """A copy of a bundle. A bundle is a manifest, so only deletions and refusals ever speak of one."""

    __tablename__ = "data_transfer_package_physical_copy"
    __table_args__: TableArguments = (Index(None, "data_transfer_package_id"),)

    id: Mapped[UUID] = mapped_column(ForeignKey("physical_copy.id"), primary_key=True)
    data_transfer_package_id: Mapped[UUID]

    __mapper_args__ = {  # noqa: RUF012 - read by SQLAlchemy
        "polymorphic_identity": CopyKind.DATA_TRANSFER_PACKAGE
    }
