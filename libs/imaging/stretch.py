"""From physical values to shades of grey: three percentiles and a stretch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from astropy.visualization import AsinhStretch, LogStretch, PowerDistStretch, PowerStretch, SinhStretch
from numpy.typing import NDArray

from libs.imaging.outcomes import NoPreviewCode, RenderSettings, Stretch, UnshowableError
from libs.imaging.planes import Values

Shades = NDArray[np.uint8]
"""Shape (rows, columns), 0 the darkest to 255 the brightest."""

_WHITE: Final = 255
_MIDDLE_GREY: Final = 128
_DECADES: Final = 1000.0
_SAMPLE: Final = 1 << 20
"""Of larger images percentiles are taken of evenly spaced pixels: sorting them all takes longer than all the rest."""
_DARKEST: Final = 0.6
"""Of an evenly bright disc, which fills most of its picture, the mid-tone's percentile is nearly white: without a bound
all of it would be dark. The noise of an empty field stays dark with this one."""


@dataclass(frozen=True)
class Stretched:
    """An image made visible.

    Attributes:
        shades: The picture; blank pixels are 0.
        blank: Which pixels have no value; of the same shape.
        black: The value shown darkest.
        white: The value shown brightest; equal to `black` if all pixels are the same.
    """

    shades: Shades
    blank: NDArray[np.bool_]
    black: float
    white: float


class _Limits(NamedTuple):
    black: float
    middle: float
    white: float


def stretch(values: Values, settings: RenderSettings) -> Stretched:
    """Stretch an image; a constant one becomes middle grey.

    Raises:
        UnshowableError: No pixel is finite.
    """
    blank = ~np.isfinite(values)
    limits = _limits(values[~blank], settings)
    black, _, white = limits
    # Halved, so that the span of values near the ends of the float range is finite.
    span = white / 2 - black / 2
    if span <= 0:
        shades = np.where(blank, 0, _MIDDLE_GREY).astype(np.uint8)
        return Stretched(shades, blank, black, white)
    bright = values / 2
    bright -= black / 2
    bright /= span
    bright[blank] = 0.0
    np.clip(bright, 0.0, 1.0, out=bright)
    middle = float(np.clip((limits.middle / 2 - black / 2) / span, 0.0, 1.0))
    bright = _curve(settings, middle)(bright)
    bright *= _WHITE
    shades = np.rint(bright, out=bright).astype(np.uint8)
    shades[blank] = 0
    return Stretched(shades, blank, black, white)


def midtone(bright: Values, middle: float) -> Values:
    """The rational function through (0, 0), (`middle`, 1/2) and (1, 1): y = (m - 1) x / ((2 m - 1) x - m).

    It is what astronomers' image programs call the midtones transfer function.

    Args:
        bright: Between 0 and 1.
        middle: What becomes 1/2; held above 0, where nothing in between would be left, and below `_DARKEST`.
    """
    middle = min(max(middle, 0.001), _DARKEST)
    result: Values = (middle - 1) * bright / ((2 * middle - 1) * bright - middle)
    return result


def _curve(settings: RenderSettings, middle: float) -> Callable[[Values], Values]:
    """The stretch as a function from brightness between 0 and 1 to the same."""
    match settings.stretch:
        case Stretch.MIDTONE:
            return lambda bright: midtone(bright, middle)
        case Stretch.ASINH:
            return AsinhStretch(settings.asinh_a)  # type: ignore[no-any-return]
        case Stretch.GAMMA:
            return PowerStretch(settings.gamma)  # type: ignore[no-any-return]
        case Stretch.LOG:
            return LogStretch(_DECADES)  # type: ignore[no-any-return]
        case Stretch.SQRT:
            return PowerStretch(0.5)  # type: ignore[no-any-return]
        case Stretch.EXP:
            return PowerDistStretch(_DECADES)  # type: ignore[no-any-return]
        case Stretch.SQUARE:
            return PowerStretch(2.0)  # type: ignore[no-any-return]
        case Stretch.SINH:
            return SinhStretch()  # type: ignore[no-any-return]
        case Stretch.LINEAR:
            return lambda bright: bright


def _limits(finite: Values, settings: RenderSettings) -> _Limits:
    """Find the values that become black, middle grey and white."""
    if finite.size == 0:
        raise UnshowableError(NoPreviewCode.ALL_BLANK, "every pixel of the image is blank")
    lowest, highest = float(finite.min()), float(finite.max())
    wanted = (settings.lower_percentile, settings.midtone_percentile, settings.upper_percentile)
    with np.errstate(over="ignore", invalid="ignore"):
        sample = finite[:: -(-finite.size // _SAMPLE)]
        found = _Limits(*(float(value) for value in np.percentile(sample, wanted)))
    # Between values near the ends of the float range percentiles overflow to infinity or NaN.
    if np.isfinite(found).all() and found.black < found.white:
        return found
    return _Limits(lowest, lowest / 2 + highest / 2, highest)
