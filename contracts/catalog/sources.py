"""What is observed: sources and spectral lines."""

from typing import Literal, Self

from pydantic import model_validator

from contracts.catalog.entry import (
    Azimuth,
    CatalogName,
    Declination,
    Elevation,
    Entry,
    Number,
    Positive,
    RightAscension,
    Text,
)
from contracts.kinds import FrequencyUnit


class FixedSourceEntry(Entry):
    """A source with coordinates.

    Attributes:
        ra_deg: Right ascension, ICRS, degrees, from 0 to below 360.
        dec_deg: Declination, ICRS, degrees.
        velocity_km_s: Radial velocity against the local standard of rest, km/s.
    """

    kind: Literal["fixed_source"] = "fixed_source"
    name: CatalogName
    ra_deg: RightAscension
    dec_deg: Declination
    velocity_km_s: Number | None = None
    description: Text = ""


class SolarSystemObjectEntry(Entry):
    """A planet, moon, asteroid or comet.

    Attributes:
        naif_id: Its number in the ephemerides of JPL's NAIF.
    """

    kind: Literal["solar_system_object"] = "solar_system_object"
    name: CatalogName
    naif_id: int | None = None
    description: Text = ""


class ConstantElevationSourceEntry(Entry):
    """A strip of sky at one elevation.

    Attributes:
        elevation_deg: Degrees.
        azimuth_min_deg: Where it begins, degrees from north over east; `azimuth_max_deg`, where it ends, is above it.
    """

    kind: Literal["constant_elevation_source"] = "constant_elevation_source"
    name: CatalogName
    elevation_deg: Elevation
    azimuth_min_deg: Azimuth
    azimuth_max_deg: Azimuth
    description: Text = ""

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        if self.azimuth_min_deg >= self.azimuth_max_deg:
            raise ValueError("azimuth_min_deg is not below azimuth_max_deg; add 360 to the one that ends it")
        return self


class LineEntry(Entry):
    """A spectral line.

    Attributes:
        species: Of what: CO, [CII].
        transition: Between which states: 4-3.
        rest_frequency: In `frequency_unit`.
    """

    kind: Literal["line"] = "line"
    name: CatalogName
    rest_frequency: Positive
    frequency_unit: FrequencyUnit = FrequencyUnit.GHZ
    species: Text = ""
    transition: Text = ""
