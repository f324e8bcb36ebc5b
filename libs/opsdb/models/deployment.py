"""The deployment as the sites applied it."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from contracts.states import LocationType, RouteType, StorageType
from libs.opsdb.models.base import Base, WithOwnVersion, WithVersion


class Site(WithVersion, Base):
    """A place with servers and disks of its own."""

    __tablename__ = "site"

    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str | None]


class DataLocation(WithVersion, Base):
    """Where data may be; its subtype says how it is reached. Lower priority is used first."""

    __tablename__ = "data_location"

    name: Mapped[str] = mapped_column(primary_key=True)
    site: Mapped[str | None]
    location_type: Mapped[LocationType | None]
    storage_type: Mapped[StorageType | None]
    priority: Mapped[int | None]
    active: Mapped[bool | None]

    __mapper_args__ = {"polymorphic_on": "storage_type"}  # noqa: RUF012 - read by SQLAlchemy


class DiskDataLocation(WithOwnVersion, DataLocation):
    """A folder on a local or mounted disk."""

    __tablename__ = "disk_data_location"

    name: Mapped[str] = mapped_column(ForeignKey("data_location.name"), primary_key=True)
    path: Mapped[str | None]

    __mapper_args__ = {"polymorphic_identity": StorageType.DISK}  # noqa: RUF012 - read by SQLAlchemy


class S3DataLocation(WithOwnVersion, DataLocation):
    """A bucket behind the S3 protocol."""

    __tablename__ = "s3_data_location"

    name: Mapped[str] = mapped_column(ForeignKey("data_location.name"), primary_key=True)
    endpoint: Mapped[str | None]
    bucket: Mapped[str | None]

    __mapper_args__ = {"polymorphic_identity": StorageType.S3}  # noqa: RUF012 - read by SQLAlchemy


class TapeDataLocation(WithOwnVersion, DataLocation):
    """A tape library."""

    __tablename__ = "tape_data_location"

    name: Mapped[str] = mapped_column(ForeignKey("data_location.name"), primary_key=True)
    library: Mapped[str | None]

    __mapper_args__ = {"polymorphic_identity": StorageType.TAPE}  # noqa: RUF012 - read by SQLAlchemy


class DataTransferRoute(WithVersion, Base):
    """A way for bundles from one site to another."""

    __tablename__ = "data_transfer_route"

    name: Mapped[str] = mapped_column(primary_key=True)
    route_type: Mapped[RouteType | None]
    origin: Mapped[str | None]
    destination: Mapped[str | None]
    via: Mapped[list[str] | None]
