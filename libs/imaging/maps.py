"""Whether an image is a radio map: brightness on the sky, which is shown in colours and with its coordinates."""

from dataclasses import dataclass
from typing import Final

from astropy.io import fits
from astropy.wcs import WCS, WcsError

UNUSABLE: Final = (WcsError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError)
"""What astropy raises over axes that contradict themselves: an image is as good without them."""

_LONGITUDES: Final = {"RA--": "right ascension", "GLON": "galactic longitude", "ELON": "ecliptic longitude"}
_LATITUDES: Final = {"DEC-": "declination", "GLAT": "galactic latitude", "ELAT": "ecliptic latitude"}
_BRIGHTNESS: Final = frozenset(
    {
        "K",
        "MK",
        "JY",
        "MJY",
        "JY/BEAM",
        "JY BEAM-1",
        "MJY/BEAM",
        "MJY/SR",
        "MJY SR-1",
        "K KM/S",
        "K KM S-1",
        "K.KM/S",
    }
)


@dataclass(frozen=True)
class SkyMap:
    """How the axes and the values of a map are called.

    Attributes:
        wcs: Of the two celestial axes, for the pixels of the file.
        names: Of the axes, the one across first.
        unit: Of the values, as the header says it.
    """

    wcs: WCS
    names: tuple[str, str]
    unit: str


def map_of(header: fits.Header, width: int, height: int) -> SkyMap | None:
    """What a header says of the map in it; None if it is none, or says nothing that can be used.

    Args:
        header: Of the image.
        width: Pixels of the axis that is shown across: the map's longitude has to be that one.
        height: Pixels of the other one.
    """
    unit = str(header.get("BUNIT", "")).strip()
    kinds = (str(header.get("CTYPE1", ""))[:4].upper(), str(header.get("CTYPE2", ""))[:4].upper())
    if unit.upper() not in _BRIGHTNESS or kinds[0] not in _LONGITUDES or kinds[1] not in _LATITUDES:
        return None
    if (header.get("NAXIS1"), header.get("NAXIS2")) != (width, height) or min(width, height) == 1:
        return None
    try:
        return SkyMap(WCS(header, naxis=2), (_LONGITUDES[kinds[0]], _LATITUDES[kinds[1]]), unit)
    except UNUSABLE:
        return None
