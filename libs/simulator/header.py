"""The header of a simulated frame: what, when, with what, and where on the sky (FITS WCS papers I and II)."""

from datetime import UTC, datetime, timedelta
from math import cos, radians, sin
from typing import Final

from astropy.io import fits

from libs.simulator.camera import Camera

_MJD_ZERO: Final = datetime(1858, 11, 17, tzinfo=UTC)


def frame_header(camera: Camera, when: datetime, index: int, target: tuple[float, float]) -> fits.Header:
    """Describe a frame.

    Args:
        camera: What took it.
        when: When its exposure began; aware of its time zone.
        index: Its number in the run.
        target: Right ascension and declination of the moving target, in degrees.
    """
    header = fits.Header()
    header["DATE-OBS"] = (f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3], "start of the exposure")
    header["MJD-OBS"] = (round((when - _MJD_ZERO) / timedelta(days=1), 9), "[d] start of the exposure")
    header["TIMESYS"] = "UTC"
    header["EXPTIME"] = (camera.exposure, "[s]")
    header["TELESCOP"] = camera.telescope
    header["INSTRUME"] = camera.instrument
    header["OBJECT"] = camera.target
    header["FRAMENO"] = (index, "number in the run")
    header["RA"] = (camera.ra, "[deg] centre of the field")
    header["DEC"] = (camera.dec, "[deg] centre of the field")
    header["TARG_RA"] = (round(target[0], 7), "[deg] the moving target")
    header["TARG_DEC"] = (round(target[1], 7), "[deg] the moving target")
    header["BUNIT"] = "adu"
    header.update(_tangent_plane(camera))
    return header


def _tangent_plane(camera: Camera) -> fits.Header:
    rows, columns = camera.shape
    scale, angle = camera.pixel_scale / 3600, radians(camera.rotation)
    header = fits.Header()
    header["WCSAXES"] = 2
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CUNIT1"], header["CUNIT2"] = "deg", "deg"
    header["CRPIX1"], header["CRPIX2"] = (columns + 1) / 2, (rows + 1) / 2
    header["CRVAL1"], header["CRVAL2"] = camera.ra, camera.dec
    header["CDELT1"], header["CDELT2"] = -scale, scale
    header["PC1_1"], header["PC1_2"] = cos(angle), -sin(angle)
    header["PC2_1"], header["PC2_2"] = sin(angle), cos(angle)
    header["RADESYS"] = "ICRS"
    return header
