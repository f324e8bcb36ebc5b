"""From physical values to shades of grey: a percentile interval and the asinh stretch."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from astropy.visualization import AsinhStretch, AsymmetricPercentileInterval
from numpy.typing import NDArray

from libs.imaging.outcomes import NoPreviewCode, RenderSettings, UnshowableError
from libs.imaging.planes import Values

Shades = NDArray[np.uint8]
"""Shape (rows, columns), 0 black to 255 white."""

_WHITE: Final = 255
_MIDDLE_GREY: Final = 128


@dataclass(frozen=True)
class Stretched:
    """An image made visible.

    Attributes:
        shades: The picture; blank pixels are black.
        black: The value shown black.
        white: The value shown white; equal to `black` if all pixels are the same.
    """

    shades: Shades
    black: float
    white: float


def stretch(values: Values, settings: RenderSettings) -> Stretched:
    """Stretch an image; a constant one becomes middle grey.

    Raises:
        UnshowableError: No pixel is finite.
    """
    blank = ~np.isfinite(values)
    black, white = _limits(values[~blank], settings)
    # Halved, so that the span of values near the ends of the float range is finite.
    span = white / 2 - black / 2
    if span <= 0:
        return Stretched(np.where(blank, 0, _MIDDLE_GREY).astype(np.uint8), black, white)
    bright = values / 2
    bright -= black / 2
    bright /= span
    bright[blank] = 0.0
    np.clip(bright, 0.0, 1.0, out=bright)
    AsinhStretch(settings.asinh_a)(bright, out=bright)
    bright *= _WHITE
    return Stretched(np.rint(bright, out=bright).astype(np.uint8), black, white)


def _limits(finite: Values, settings: RenderSettings) -> tuple[float, float]:
    """Find black and white; a few bright pixels on an even ground are not lost to the percentiles."""
    if finite.size == 0:
        raise UnshowableError(NoPreviewCode.ALL_BLANK, "every pixel of the image is blank")
    interval = AsymmetricPercentileInterval(settings.lower_percentile, settings.upper_percentile)
    lowest, highest = float(finite.min()), float(finite.max())
    with np.errstate(over="ignore", invalid="ignore"):
        black, white = (float(limit) for limit in interval.get_limits(finite))
        roomy = black + settings.headroom * (float(np.median(finite)) - black)
    white = max(white, min(highest, roomy))
    # Between values near the ends of the float range percentiles overflow to infinity or NaN.
    usable = np.isfinite(black) and np.isfinite(white) and black < white
    return (black, white) if usable else (lowest, highest)
