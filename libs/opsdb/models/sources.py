"""What is observed: celestial sources and spectral lines."""

from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from contracts.kinds import FrequencyUnit, SourceType
from libs.opsdb.models.base import Base, Registered, TableArguments, WithOwnVersion

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord


class Source(Registered, Base):
    """Something to observe; its subtype says how its direction is known.

    Attributes:
        source_type: Which subtype it is of.
    """

    __tablename__ = "source"
    __table_args__: TableArguments = (Index(None, "source_type"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    source_type: Mapped[SourceType | None]
    description: Mapped[str | None]

    __mapper_args__ = {"polymorphic_on": "source_type"}  # noqa: RUF012 - read by SQLAlchemy


class FixedSource(WithOwnVersion, Source):
    """A source with coordinates.

    Attributes:
        ra_deg: Right ascension, ICRS, degrees, from 0 to below 360.
        dec_deg: Declination, ICRS, degrees.
        velocity_km_s: Radial velocity against the local standard of rest, km/s.
    """

    __tablename__ = "fixed_source"
    __table_args__: TableArguments = (
        CheckConstraint("ra_deg >= 0 AND ra_deg < 360", "right_ascension"),
        CheckConstraint("dec_deg BETWEEN -90 AND 90", "declination"),
        Index(None, "dec_deg", "ra_deg"),
    )

    name: Mapped[str] = mapped_column(ForeignKey("source.name"), primary_key=True)
    ra_deg: Mapped[float | None]
    dec_deg: Mapped[float | None]
    velocity_km_s: Mapped[float | None]

    __mapper_args__ = {"polymorphic_identity": SourceType.FIXED}  # noqa: RUF012 - read by SQLAlchemy

    @property
    def skycoord(self) -> "SkyCoord":
        """Where it is: an astropy coordinate in the ICRS frame.

        Raises:
            ValueError: Its coordinates are not known.
        """
        from astropy.coordinates import SkyCoord  # noqa: PLC0415 - slow to import, and seldom wanted

        if self.ra_deg is None or self.dec_deg is None:
            raise ValueError(f"the coordinates of {self.name} are not known")
        return SkyCoord(ra=self.ra_deg, dec=self.dec_deg, unit="deg", frame="icrs")


class SolarSystemObject(WithOwnVersion, Source):
    """A planet, moon, asteroid or comet.

    Attributes:
        naif_id: Its number in the ephemerides of JPL's NAIF.
    """

    __tablename__ = "solar_system_object"

    name: Mapped[str] = mapped_column(ForeignKey("source.name"), primary_key=True)
    naif_id: Mapped[int | None]

    __mapper_args__ = {"polymorphic_identity": SourceType.SOLAR_SYSTEM}  # noqa: RUF012 - read by SQLAlchemy


class ConstantElevationSource(WithOwnVersion, Source):
    """A strip of sky at one elevation.

    Attributes:
        elevation_deg: Degrees.
        azimuth_min_deg: Where it begins, degrees from north over east; it ends at `azimuth_max_deg`.
    """

    __tablename__ = "constant_elevation_source"
    __table_args__: TableArguments = (
        CheckConstraint("elevation_deg BETWEEN 0 AND 90", "elevation"),
        CheckConstraint("azimuth_min_deg < azimuth_max_deg", "azimuths"),
    )

    name: Mapped[str] = mapped_column(ForeignKey("source.name"), primary_key=True)
    elevation_deg: Mapped[float | None]
    azimuth_min_deg: Mapped[float | None]
    azimuth_max_deg: Mapped[float | None]

    __mapper_args__ = {  # noqa: RUF012 - read by SQLAlchemy
        "polymorphic_identity": SourceType.CONSTANT_ELEVATION
    }


class Line(Registered, Base):
    """A spectral line.

    Attributes:
        species: Of what: CO, [CII].
        transition: Between which states: 4-3.
        rest_frequency: In `frequency_unit`.
    """

    __tablename__ = "line"
    __table_args__: TableArguments = (CheckConstraint("rest_frequency > 0", "rest_frequency"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    rest_frequency: Mapped[float | None]
    frequency_unit: Mapped[FrequencyUnit | None]
    species: Mapped[str | None]
    transition: Mapped[str | None]
