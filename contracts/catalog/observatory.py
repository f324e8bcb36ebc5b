"""Observatory > Telescope > Instrument > InstrumentModule > InstrumentModuleConfiguration, and the archives."""

from typing import Literal

from contracts.base import Name
from contracts.catalog.entry import CatalogName, Count, Declination, Entry, Longitude, Number, Positive, Text
from contracts.kinds import Sideband


class ObservatoryEntry(Entry):
    """A place with telescopes.

    Attributes:
        longitude_deg: East of Greenwich, degrees, WGS 84.
        latitude_deg: Degrees, WGS 84.
        height_m: Height in metres above the ellipsoid.
    """

    kind: Literal["observatory"] = "observatory"
    name: CatalogName
    description: Text = ""
    longitude_deg: Longitude | None = None
    latitude_deg: Declination | None = None
    height_m: Number | None = None


class TelescopeEntry(Entry):
    """A telescope of an observatory.

    Attributes:
        diameter_m: Of its aperture, metres.
    """

    kind: Literal["telescope"] = "telescope"
    name: CatalogName
    observatory: CatalogName
    description: Text = ""
    diameter_m: Positive | None = None


class InstrumentEntry(Entry):
    """What science knows of an instrument; where it writes is said by the deployment."""

    kind: Literal["instrument"] = "instrument"
    name: Name
    telescope: CatalogName
    description: Text = ""


class InstrumentModuleEntry(Entry):
    """A part of an instrument that writes files of its own.

    Attributes:
        pixels: How many it has on the sky.
        frequency_min_ghz: The lowest frequency that it receives, GHz; so is `frequency_max_ghz` the highest.
    """

    kind: Literal["instrument_module"] = "instrument_module"
    instrument: Name
    name: Name
    description: Text = ""
    pixels: Count | None = None
    frequency_min_ghz: Positive | None = None
    frequency_max_ghz: Positive | None = None


class ChaiModuleConfigurationEntry(Entry):
    """How a module of CHAI is set up.

    Attributes:
        instrument_module: The module of `instrument`.
        line: What it is tuned to.
        lo_frequency_ghz: Of the local oscillator, GHz.
        bandwidth_mhz: Of the spectrometer, MHz.
        channels: Of the spectrometer.
    """

    kind: Literal["chai_module_configuration"] = "chai_module_configuration"
    name: CatalogName
    instrument: Name
    instrument_module: Name
    description: Text = ""
    line: CatalogName | None = None
    lo_frequency_ghz: Positive | None = None
    sideband: Sideband | None = None
    bandwidth_mhz: Positive | None = None
    channels: Count | None = None


class PrimeCamModuleConfigurationEntry(Entry):
    """How a module of Prime-Cam is set up.

    Attributes:
        instrument_module: The module of `instrument`.
        band_center_ghz: Of its pass band, GHz.
        bandwidth_ghz: Of its pass band, GHz.
        detectors: How many are read.
        sample_rate_hz: Of each detector, Hz.
    """

    kind: Literal["prime_cam_module_configuration"] = "prime_cam_module_configuration"
    name: CatalogName
    instrument: Name
    instrument_module: Name
    description: Text = ""
    band_center_ghz: Positive | None = None
    bandwidth_ghz: Positive | None = None
    detectors: Count | None = None
    sample_rate_hz: Positive | None = None


class DataArchiveEntry(Entry):
    """An archive as an institution: who keeps the data of which locations for good.

    Attributes:
        location: The data location that holds its bytes.
        ivo_id: Its IVOA identifier, ``ivo://authority/key``.
        url: Where people find it.
    """

    kind: Literal["data_archive"] = "data_archive"
    name: CatalogName
    location: Name | None = None
    institution: Text = ""
    description: Text = ""
    ivo_id: CatalogName | None = None
    url: Text | None = None
