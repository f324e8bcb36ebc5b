"""Shrink an image while it is read: the mean of the finite pixels of square blocks."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from libs.imaging.planes import ImagePlane, Values

_PIXELS_PER_READ: Final = 1 << 20


def read_averaged(plane: ImagePlane, longest_side: int) -> Values:
    """Read a plane, averaged by the smallest whole factor that makes its longest side fit.

    Args:
        plane: What to read.
        longest_side: In pixels.

    Returns:
        The averaged plane, each axis at least 1 pixel long, infinities replaced by NaN.
    """
    height, width = plane.choice.height, plane.choice.width
    factor = factor_of(plane, longest_side)
    rows = max(1, _PIXELS_PER_READ // (width * factor)) * factor
    blocks = [
        block_mean(plane.reader.rows(first, min(first + rows, height)), factor)
        for first in range(0, height, rows)
    ]
    return np.concatenate(blocks)


def factor_of(plane: ImagePlane, longest_side: int) -> int:
    """So many pixels are averaged along each axis."""
    return -(-max(plane.choice.height, plane.choice.width) // longest_side)


def block_mean(values: Values, factor: int) -> Values:
    """Average squares of `factor` by `factor` pixels, incomplete ones at the far edges too.

    Args:
        values: Shape (rows, columns).
        factor: Side of a square, at least 1.

    Returns:
        Shape (ceil(rows / factor), ceil(columns / factor)); NaN where a square has no finite pixel.
    """
    finite = np.isfinite(values)
    if factor == 1:
        return values if finite.all() else np.where(finite, values, np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        total = _block_sum(values if finite.all() else np.where(finite, values, 0.0), factor)
        count = _block_sum(finite, factor)
        mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    mean[~np.isfinite(mean)] = np.nan
    return mean


def _block_sum(values: Values | NDArray[np.bool_], factor: int) -> Values:
    """Add up strided rows, then strided columns: several times as fast as `np.add.reduceat`."""
    height, width = values.shape
    by_rows = np.zeros((-(-height // factor), width))
    for first in range(min(factor, height)):
        part = values[first::factor]
        by_rows[: len(part)] += part
    total = np.zeros((len(by_rows), -(-width // factor)))
    for first in range(min(factor, width)):
        columns = by_rows[:, first::factor]
        total[:, : columns.shape[1]] += columns
    return total
