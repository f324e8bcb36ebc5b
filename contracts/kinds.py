"""What kinds there are of the things that the catalog names."""

from enum import StrEnum


class SourceType(StrEnum):
    """How the direction to a source is known."""

    FIXED = "fixed"
    """By coordinates that do not change."""
    SOLAR_SYSTEM = "solar_system"
    """By an ephemeris."""
    CONSTANT_ELEVATION = "constant_elevation"
    """By an elevation and a range of azimuths: whatever passes there."""


class InstrumentFamily(StrEnum):
    """Which columns a configuration has."""

    CHAI = "chai"
    """A heterodyne array: tuned to a line, one spectrum a pixel."""
    PRIME_CAM = "prime_cam"
    """A camera of detectors: bands, scanned over the sky."""


class FrequencyUnit(StrEnum):
    """The unit of a frequency."""

    HZ = "Hz"
    """1/s."""
    KHZ = "kHz"
    """1e3 Hz."""
    MHZ = "MHz"
    """1e6 Hz."""
    GHZ = "GHz"
    """1e9 Hz."""
    THZ = "THz"
    """1e12 Hz."""


class Sideband(StrEnum):
    """On which side of the local oscillator a line is received."""

    LOWER = "lower"
    """Below its frequency."""
    UPPER = "upper"
    """Above its frequency."""


class ScanPattern(StrEnum):
    """How a camera is moved over its field."""

    AZIMUTH = "azimuth"
    """Back and forth in azimuth at constant elevation."""
    PONG = "pong"
    """Closed billiard paths over a rectangle."""
    DAISY = "daisy"
    """Petals through the centre."""
    STARE = "stare"
    """Not at all."""


class RoleName(StrEnum):
    """The roles that every installation has; a catalog may name more."""

    ADMIN = "admin"
    """May do everything."""
    OBSERVER = "observer"
    """Files observations, asks for data."""
    VIEWER = "viewer"
    """Looks."""
    SERVICE = "service"
    """A machine: what its tokens allow."""
