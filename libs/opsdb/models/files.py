"""Files on the instruments' disks: filed ones, and those that nobody filed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from contracts.base import derived_id
from contracts.states import FileState, PreviewState
from libs.opsdb.models.base import MUCH_UPDATED, Base, WithProblem


def unfiled_file_id(location: str, path: str) -> UUID:
    """The id of the entry at `path` of a SOURCE location: paths may be too long for an index of PostgreSQL."""
    return derived_id("unfiled_file", location, path)


class RawDataFile(WithProblem, Base):
    """A file that an instrument wrote and filed.

    Attributes:
        location: The SOURCE location; `path` is relative to its root.
        declared_size: Bytes, as the instrument declared; null if it did not. So is `declared_sha256` its digest.
        filed_at: When it was first or last declared.
        size: Bytes, as last scanned.
        mtime_ns: Modification time as last scanned, nanoseconds since 1970.
        sha256: Hex digest, as the packager computed it.
        raw_data_package_id: The package it is planned for or in.
        tar_offset: Where its first byte stands in that package's tar.
        preview_state: Whether it has pictures; `preview_code` and `preview_reason` say why not.
        preview_path: Relative to the site's preview folder, as is `thumbnail_path`.
        preview_etag: Changes with the preview's content.
        preview_width: Pixels, as is `preview_height`.
    """

    __tablename__ = "raw_data_file"
    __table_args__ = (
        Index(None, "executed_obs_unit_id"),
        Index(None, "raw_data_package_id"),
        Index("ix_raw_data_file_location_path", "location", text("md5(path)")),
        Index(
            "ix_raw_data_file_looked_for",
            "location",
            "instrument",
            postgresql_where=text("state IN ('filed', 'missing')"),
        ),
        {"postgresql_with": MUCH_UPDATED},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    executed_obs_unit_id: Mapped[UUID | None]
    instrument: Mapped[str | None]
    instrument_module: Mapped[str | None]
    location: Mapped[str | None]
    path: Mapped[str | None]
    declared_size: Mapped[int | None]
    declared_sha256: Mapped[str | None]
    size: Mapped[int | None]
    mtime_ns: Mapped[int | None]
    sha256: Mapped[str | None]
    state: Mapped[FileState | None]
    raw_data_package_id: Mapped[UUID | None]
    tar_offset: Mapped[int | None]
    filed_at: Mapped[datetime | None]
    scanned_at: Mapped[datetime | None]
    packaged_at: Mapped[datetime | None]
    preview_state: Mapped[PreviewState] = mapped_column(server_default=PreviewState.PENDING.value)
    preview_code: Mapped[str | None]
    preview_reason: Mapped[str | None]
    thumbnail_path: Mapped[str | None]
    preview_path: Mapped[str | None]
    preview_etag: Mapped[str | None]
    preview_width: Mapped[int | None]
    preview_height: Mapped[int | None]


class UnfiledFile(WithProblem, Base):
    """An entry on a SOURCE location that belonged to no observation when it was found.

    Attributes:
        id: `unfiled_file_id` of location and path.
        mtime_ns: Its modification time, nanoseconds since 1970.
        filed: A raw_data_file has the same location and path, whichever came first.
        found_at: When it was last reported.
    """

    __tablename__ = "unfiled_file"
    __table_args__ = (
        Index("ix_unfiled_file_location_path", "location", text("md5(path)")),
        Index("ix_unfiled_file_open", "location", postgresql_where=text("NOT filed")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    location: Mapped[str | None]
    path: Mapped[str | None]
    size: Mapped[int | None]
    mtime_ns: Mapped[int | None]
    found_at: Mapped[datetime | None]
    filed: Mapped[bool] = mapped_column(server_default=text("false"))
