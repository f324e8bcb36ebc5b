"""Observatory > Telescope > Instrument > InstrumentModule > InstrumentModuleConfiguration.

The catalog tells these; of an instrument and its modules the deployment tells another part. What is spoken of before
it is registered has a row with its key alone (`applied_at` is null): a foreign key always has its row.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from contracts.kinds import InstrumentFamily, Sideband
from libs.opsdb.models.base import Base, Registered, TableArguments, WithOwnVersion, WithVersion


class Observatory(Registered, Base):
    """A place with telescopes.

    Attributes:
        longitude_deg: East of Greenwich, degrees, WGS 84.
        latitude_deg: Degrees, WGS 84.
        height_m: Height in metres above the ellipsoid.
    """

    __tablename__ = "observatory"
    __table_args__: TableArguments = (
        CheckConstraint("longitude_deg BETWEEN -180 AND 360", "longitude"),
        CheckConstraint("latitude_deg BETWEEN -90 AND 90", "latitude"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str | None]
    longitude_deg: Mapped[float | None]
    latitude_deg: Mapped[float | None]
    height_m: Mapped[float | None]


class Telescope(Registered, Base):
    """A telescope of an observatory.

    Attributes:
        diameter_m: Of its aperture, metres.
    """

    __tablename__ = "telescope"
    __table_args__: TableArguments = (
        Index(None, "observatory"),
        CheckConstraint("diameter_m > 0", "diameter"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    observatory: Mapped[str | None] = mapped_column(ForeignKey("observatory.name"))
    description: Mapped[str | None]
    diameter_m: Mapped[float | None]


class Instrument(WithVersion, Base):
    """An instrument: where it writes, as the deployment tells, and what it is, as the catalog does.

    Attributes:
        site: Where it stands; it writes into `folder` of `source_location`.
        available: Whether it may file observations.
        package_limit: Bytes that go into one package at most.
        description: Of the catalog; so are `telescope` and `retired`.
        described_at: Version of what the catalog tells; null while it tells nothing. `described_by` is the event.
    """

    __tablename__ = "instrument"
    __table_args__: TableArguments = (Index(None, "telescope"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    site: Mapped[str | None]
    source_location: Mapped[str | None]
    folder: Mapped[str | None]
    available: Mapped[bool | None]
    package_limit: Mapped[int | None]
    telescope: Mapped[str | None] = mapped_column(ForeignKey("telescope.name"))
    description: Mapped[str | None]
    retired: Mapped[bool | None]
    described_at: Mapped[datetime | None]
    described_by: Mapped[UUID | None]


class InstrumentModule(Registered, Base):
    """A part of an instrument that writes files of its own; the deployment names it, the catalog describes it.

    Attributes:
        pixels: How many it has on the sky.
        frequency_min_ghz: The lowest frequency that it receives, GHz; so is `frequency_max_ghz` the highest.
    """

    __tablename__ = "instrument_module"
    __table_args__: TableArguments = (
        CheckConstraint("pixels > 0", "pixels"),
        CheckConstraint("frequency_min_ghz > 0 AND frequency_max_ghz > 0", "frequencies"),
    )

    instrument: Mapped[str] = mapped_column(ForeignKey("instrument.name"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str | None]
    pixels: Mapped[int | None]
    frequency_min_ghz: Mapped[float | None]
    frequency_max_ghz: Mapped[float | None]


class InstrumentModuleConfiguration(Registered, Base):
    """How a module is set up; its subtype has what is particular to the instrument.

    Attributes:
        instrument_module: The module of `instrument`.
        family: Which subtype it is of.
    """

    __tablename__ = "instrument_module_configuration"
    __table_args__: TableArguments = (
        ForeignKeyConstraint(
            ["instrument", "instrument_module"], ["instrument_module.instrument", "instrument_module.name"]
        ),
        Index(None, "instrument", "instrument_module"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    instrument: Mapped[str | None]
    instrument_module: Mapped[str | None]
    family: Mapped[InstrumentFamily | None]
    description: Mapped[str | None]

    __mapper_args__ = {"polymorphic_on": "family"}  # noqa: RUF012 - read by SQLAlchemy


class ChaiModuleConfiguration(WithOwnVersion, InstrumentModuleConfiguration):
    """How a module of CHAI is set up.

    Attributes:
        line: What it is tuned to.
        lo_frequency_ghz: Of the local oscillator, GHz.
        bandwidth_mhz: Of the spectrometer, MHz.
        channels: Of the spectrometer.
    """

    __tablename__ = "chai_module_configuration"
    __table_args__: TableArguments = (
        CheckConstraint("lo_frequency_ghz > 0", "lo_frequency"),
        CheckConstraint("bandwidth_mhz > 0", "bandwidth"),
        CheckConstraint("channels > 0", "channels"),
    )

    name: Mapped[str] = mapped_column(ForeignKey("instrument_module_configuration.name"), primary_key=True)
    line: Mapped[str | None] = mapped_column(ForeignKey("line.name"))
    lo_frequency_ghz: Mapped[float | None]
    sideband: Mapped[Sideband | None]
    bandwidth_mhz: Mapped[float | None]
    channels: Mapped[int | None]

    __mapper_args__ = {"polymorphic_identity": InstrumentFamily.CHAI}  # noqa: RUF012 - read by SQLAlchemy


class PrimeCamModuleConfiguration(WithOwnVersion, InstrumentModuleConfiguration):
    """How a module of Prime-Cam is set up.

    Attributes:
        band_center_ghz: Of its pass band, GHz; so is `bandwidth_ghz`.
        detectors: How many are read.
        sample_rate_hz: Of each detector, Hz.
    """

    __tablename__ = "prime_cam_module_configuration"
    __table_args__: TableArguments = (
        CheckConstraint("band_center_ghz > 0 AND bandwidth_ghz > 0", "band"),
        CheckConstraint("detectors > 0", "detectors"),
        CheckConstraint("sample_rate_hz > 0", "sample_rate"),
    )

    name: Mapped[str] = mapped_column(ForeignKey("instrument_module_configuration.name"), primary_key=True)
    band_center_ghz: Mapped[float | None]
    bandwidth_ghz: Mapped[float | None]
    detectors: Mapped[int | None]
    sample_rate_hz: Mapped[float | None]

    __mapper_args__ = {"polymorphic_identity": InstrumentFamily.PRIME_CAM}  # noqa: RUF012 - read by SQLAlchemy
