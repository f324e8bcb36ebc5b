"""A simulated camera: frames of a star field with noise and a moving target, the same from the same seed."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from math import cos, log, radians, sin, sqrt
from pathlib import Path
from typing import Final

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from libs.simulator.camera import Camera
from libs.simulator.header import frame_header
from libs.simulator.writing import Placement, place

Counts = NDArray[np.float32]
"""Counts per pixel, shape (rows, columns)."""

_TILE: Final = 512
_TILES: Final = 4
_BACKGROUND: Final = 300.0
_NOISE: Final = 8.0
_FWHM_TO_SIGMA: Final = 2 * sqrt(2 * log(2))
_FAINTEST: Final = 200.0
_BRIGHTEST: Final = 40_000.0
_FLUX_SLOPE: Final = 1.2
_TARGET_PEAK: Final = 20_000.0
_SATURATION: Final = 65_535

SMALLEST_SIDE: Final = 32
"""Rows and columns that a frame needs at least."""


@dataclass(frozen=True)
class Frame:
    """A file that the simulator wrote.

    Attributes:
        path: Where.
        size: In bytes.
        sha256: Of its bytes, in lower-case hexadecimal.
        index: Its number in the run.
        taken: The moment at which its exposure began.
    """

    path: Path
    size: int
    sha256: str
    index: int
    taken: datetime


class SkySimulator:
    """Makes frames; what does not change from frame to frame is computed once.

    Args:
        seed: The same seed, camera, index and time give the same bytes.
        camera: What is simulated.
        began: When the target crosses the centre of the field; aware of its time zone.

    Raises:
        ValueError: The shape is too small or `began` has no time zone.
    """

    def __init__(self, seed: int, camera: Camera, began: datetime) -> None:
        if min(camera.shape) < SMALLEST_SIDE:
            raise ValueError(f"a frame needs at least {SMALLEST_SIDE} rows and columns: {camera.shape}")
        _check_zone(began)
        self.camera = camera
        self._seed = seed
        self._began = began
        rng = np.random.default_rng(seed)
        self._sky = _star_field(rng, camera)
        self._noise = rng.standard_normal((_TILES, _TILE, _TILE), dtype=np.float32) * np.float32(_NOISE)
        self._angle = float(rng.uniform(0.0, 360.0))

    def target_position(self, when: datetime) -> tuple[float, float]:
        """Where the moving target is.

        Args:
            when: Aware of its time zone.

        Returns:
            Right ascension and declination in degrees, ICRS.
        """
        camera = self.camera
        field = min(camera.shape) * camera.pixel_scale
        moved = (when - self._began) / timedelta(hours=1) * camera.drift
        # It enters again on the other side when it has left the inner field.
        along = ((moved + field / 4) % (field / 2) - field / 4) / 3600
        angle = radians(self._angle)
        dec = camera.dec + along * cos(angle)
        return (camera.ra + along * sin(angle) / cos(radians(camera.dec))) % 360, dec

    def frame_bytes(self, index: int, when: datetime) -> bytes:
        """Make one frame as the bytes of a FITS file.

        Args:
            index: The frame's number, which also decides its noise.
            when: When its exposure began; aware of its time zone.

        Raises:
            ValueError: `when` has no time zone.
        """
        _check_zone(when)
        target = self.target_position(when)
        header = frame_header(self.camera, when, index, target)
        hdu = fits.PrimaryHDU(self._exposed(index, WCS(header), target), header)
        # A fixed remark in place of the present time, which astropy would put beside the sums.
        hdu.add_checksum(when="as simulated")
        buffer = BytesIO()
        hdu.writeto(buffer)
        return buffer.getvalue()

    def write_frame(
        self, path: Path, index: int, when: datetime, placement: Placement = Placement.RENAMED
    ) -> Frame:
        """Write one frame to disk; its folder is made if it is not there. Blocking.

        Raises:
            OSError: The disk refuses.
        """
        data = self.frame_bytes(index, when)
        place(path, data, placement)
        return Frame(path, len(data), hashlib.sha256(data).hexdigest(), index, when)

    def _exposed(self, index: int, wcs: WCS, target: tuple[float, float]) -> NDArray[np.uint16]:
        counts = self._sky + self._noise_of(index)
        column, row = (float(place) for place in wcs.all_world2pix(*target, 0))
        _add_star(counts, (row, column), _TARGET_PEAK, _sigma(self.camera))
        np.clip(np.rint(counts, out=counts), 0, _SATURATION, out=counts)
        return counts.astype(np.uint16)

    def _noise_of(self, index: int) -> Counts:
        """Lay a tile of noise, chosen and shifted by the frame's number, over the frame."""
        rng = np.random.default_rng((self._seed, index))
        tile = self._noise[rng.integers(_TILES)]
        shifted = np.roll(tile, rng.integers(_TILE, size=2).tolist(), axis=(0, 1))
        rows, columns = self.camera.shape
        return np.tile(shifted, (-(-rows // _TILE), -(-columns // _TILE)))[:rows, :columns]


def _check_zone(when: datetime) -> None:
    if when.tzinfo is None:
        raise ValueError(f"the time needs a zone: {when}")


def _sigma(camera: Camera) -> float:
    return max(0.8, camera.seeing / camera.pixel_scale / _FWHM_TO_SIGMA)


def _star_field(rng: np.random.Generator, camera: Camera) -> Counts:
    counts = np.full(camera.shape, _BACKGROUND, dtype=np.float32)
    stars = round(camera.star_density * counts.size / 1e6)
    places = rng.uniform((0, 0), camera.shape, size=(stars, 2))
    peaks = np.minimum(_FAINTEST * (1 + rng.pareto(_FLUX_SLOPE, size=stars)), _BRIGHTEST)
    for (row, column), peak in zip(places, peaks, strict=True):
        _add_star(counts, (float(row), float(column)), float(peak), _sigma(camera))
    return counts


def _add_star(counts: Counts, place: tuple[float, float], peak: float, sigma: float) -> None:
    """Add a round Gaussian, in place; what falls outside the frame is cut off."""
    reach = int(5 * sigma) + 1
    row, column = place
    rows = np.arange(max(0, int(row) - reach), min(counts.shape[0], int(row) + reach + 1))
    columns = np.arange(max(0, int(column) - reach), min(counts.shape[1], int(column) + reach + 1))
    if rows.size and columns.size:
        profile = np.exp(-((rows[:, None] - row) ** 2 + (columns[None, :] - column) ** 2) / (2 * sigma**2))
        counts[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += (peak * profile).astype(np.float32)
