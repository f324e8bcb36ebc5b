"""How observations are made."""

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from contracts.kinds import InstrumentFamily, ScanPattern
from libs.opsdb.models.base import Base, Registered, TableArguments, WithOwnVersion


class ObsMode(Registered, Base):
    """A way to observe: on the fly, position switched, raster, …"""

    __tablename__ = "obs_mode"

    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str | None]


class ObservationConfiguration(Registered, Base):
    """How an instrument observes; its subtype has what is particular to the instrument.

    Attributes:
        family: Which subtype it is of.
    """

    __tablename__ = "observation_configuration"
    __table_args__: TableArguments = (Index(None, "instrument"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    instrument: Mapped[str | None] = mapped_column(ForeignKey("instrument.name"))
    family: Mapped[InstrumentFamily | None]
    description: Mapped[str | None]

    __mapper_args__ = {"polymorphic_on": "family"}  # noqa: RUF012 - read by SQLAlchemy


class ChaiObservationConfiguration(WithOwnVersion, ObservationConfiguration):
    """How CHAI observes; see also its inpar parameters and tilings.

    Attributes:
        integration_s: Time on each point, seconds.
        reference_ra_offset_arcsec: From the source to the reference position, arcsec on the sky; so is
            `reference_dec_offset_arcsec`.
    """

    __tablename__ = "chai_observation_configuration"
    __table_args__: TableArguments = (CheckConstraint("integration_s > 0", "integration"),)

    name: Mapped[str] = mapped_column(ForeignKey("observation_configuration.name"), primary_key=True)
    integration_s: Mapped[float | None]
    reference_ra_offset_arcsec: Mapped[float | None]
    reference_dec_offset_arcsec: Mapped[float | None]

    __mapper_args__ = {"polymorphic_identity": InstrumentFamily.CHAI}  # noqa: RUF012 - read by SQLAlchemy


class PrimeCamObservationConfiguration(WithOwnVersion, ObservationConfiguration):
    """How Prime-Cam observes.

    Attributes:
        scan_speed_deg_s: On the sky, degrees per second.
        scan_width_deg: Of the scanned field, degrees; so is `scan_height_deg`.
    """

    __tablename__ = "prime_cam_observation_configuration"
    __table_args__: TableArguments = (
        CheckConstraint("scan_speed_deg_s > 0", "scan_speed"),
        CheckConstraint("scan_width_deg > 0 AND scan_height_deg > 0", "scan_size"),
    )

    name: Mapped[str] = mapped_column(ForeignKey("observation_configuration.name"), primary_key=True)
    scan_pattern: Mapped[ScanPattern | None]
    scan_speed_deg_s: Mapped[float | None]
    scan_width_deg: Mapped[float | None]
    scan_height_deg: Mapped[float | None]

    __mapper_args__ = {"polymorphic_identity": InstrumentFamily.PRIME_CAM}  # noqa: RUF012 - read by SQLAlchemy


class ChaiInparParameter(Registered, Base):
    """One input parameter of CHAI's observing script.

    Attributes:
        value: As the script reads it.
        unit: Of the value; empty if it has none.
    """

    __tablename__ = "chai_inpar_parameter"

    observation_configuration: Mapped[str] = mapped_column(
        ForeignKey("chai_observation_configuration.name"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str | None]
    unit: Mapped[str | None]
    description: Mapped[str | None]


class ChaiTiling(Registered, Base):
    """One tile of a map that CHAI makes of several.

    Attributes:
        ra_offset_arcsec: From the source to the tile's centre, arcsec on the sky; so is `dec_offset_arcsec`.
        width_arcsec: Arcsec; so is `height_arcsec`.
        position_angle_deg: From north over east, degrees.
    """

    __tablename__ = "chai_tiling"
    __table_args__: TableArguments = (CheckConstraint("width_arcsec > 0 AND height_arcsec > 0", "size"),)

    observation_configuration: Mapped[str] = mapped_column(
        ForeignKey("chai_observation_configuration.name"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    ra_offset_arcsec: Mapped[float | None]
    dec_offset_arcsec: Mapped[float | None]
    width_arcsec: Mapped[float | None]
    height_arcsec: Mapped[float | None]
    position_angle_deg: Mapped[float | None]
