"""Tables drawn as charts, and maps with their axes. matplotlib is loaded with this module: import it when needed."""

from collections.abc import Callable
from typing import Final

import numpy as np
from astropy.io import fits
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from libs.imaging.maps import SkyMap
from libs.imaging.outcomes import ColourMap, NoPreviewCode, RenderSettings, UnshowableError
from libs.imaging.tables import Chart, ChartKind, Column, read_values

DPI: Final = 100
_ASPECT: Final = 0.75
_LEAST_INCHES: Final = 3.2

Values = NDArray[np.float64]


class Drawn:
    """A chart, and the values between which it is drawn.

    Attributes:
        image: Of the preview's size.
        lowest: The smallest finite value.
        highest: The largest.
        size: How many values across and up there are.
    """

    def __init__(self, image: Image.Image, values: Values, size: tuple[int, int]) -> None:
        finite = values[np.isfinite(values)]
        self.image = image
        self.lowest, self.highest = float(finite.min()), float(finite.max())
        self.size = size


def draw(hdu: fits.BinTableHDU | fits.TableHDU, chart: Chart, settings: RenderSettings) -> Drawn:
    """Draw a table.

    Raises:
        UnshowableError: No value is finite.
    """
    values = np.stack([_whole(read_values(hdu, column, chart.rows)) for column in chart.values])
    if not np.isfinite(values).any():
        raise UnshowableError(NoPreviewCode.ALL_BLANK, "every value of the table is blank")
    across = None if chart.across is None else _whole(read_values(hdu, chart.across, chart.rows))
    paint: dict[ChartKind, Callable[[Axes, Chart, Values, Values | None], None]] = {
        ChartKind.LINES: _lines,
        ChartKind.SPECTRUM: _spectrum,
        ChartKind.WATERFALL: _waterfall,
    }
    figure, canvas = _figure(settings)
    paint[chart.kind](figure.add_subplot(), chart, values, across)
    return Drawn(_painted(canvas), values, _size_of(chart))


def draw_map(
    values: Values, sky: SkyMap, settings: RenderSettings, *, factor: int, lowest: float, highest: float
) -> Image.Image:
    """Draw a map in colours, with the coordinates of the sky and a scale.

    Args:
        values: Shape (rows, columns), row 0 at the bottom.
        sky: Its axes.
        settings: Its size and colours; grey is shown as viridis.
        factor: So many pixels of the file along each axis are one of `values`.
        lowest: The value that is shown darkest.
        highest: The value that is shown brightest.

    Raises:
        UNUSABLE: One of `libs.imaging.maps.UNUSABLE`: the axes cannot be drawn.
    """
    figure, canvas = _figure(settings)
    wcs = sky.wcs.slice((slice(None, None, factor), slice(None, None, factor))) if factor > 1 else sky.wcs
    axes = figure.add_subplot(projection=wcs)
    colours = ColourMap.VIRIDIS if settings.colour_map is ColourMap.GREY else settings.colour_map
    picture = axes.imshow(
        values,
        origin="lower",
        interpolation="nearest",
        cmap=f"{colours}_r" if settings.invert else str(colours),
        vmin=lowest,
        vmax=highest if highest > lowest else lowest + 1,
    )
    for axis, name in zip(axes.coords, sky.names, strict=True):
        axis.set_axislabel(name)
    figure.colorbar(picture, ax=axes, label=sky.unit, shrink=0.8)
    return _painted(canvas)


def _figure(settings: RenderSettings) -> tuple[Figure, FigureCanvasAgg]:
    width = max(_LEAST_INCHES, settings.preview_side / DPI)
    figure = Figure(figsize=(width, width * _ASPECT), dpi=DPI, layout="constrained")
    return figure, FigureCanvasAgg(figure)


def _painted(canvas: FigureCanvasAgg) -> Image.Image:
    canvas.draw()  # type: ignore[no-untyped-call]
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())  # type: ignore[no-untyped-call]


def _size_of(chart: Chart) -> tuple[int, int]:
    length = chart.values[0].length
    return (chart.rows, len(chart.values)) if chart.kind is ChartKind.LINES else (length, chart.rows)


def _words(column: Column) -> str:
    """Name and unit; a dollar is a dollar, and begins no formula."""
    return column.label.replace("$", r"\$")


def _whole(values: Values) -> Values:
    """Infinities are blank, too: an axis that reaches there shows nothing else."""
    return np.where(np.isfinite(values), values, np.nan)


def _lines(axes: Axes, chart: Chart, values: Values, across: Values | None) -> None:
    for column, line in zip(chart.values, values, strict=True):
        axes.plot(
            _numbers(chart.rows, line.shape[0]) if across is None else across,
            line,
            lw=0.9,
            label=_words(column),
        )
    axes.set_xlabel("row" if chart.across is None else _words(chart.across))
    if len(chart.values) == 1:
        axes.set_ylabel(_words(chart.values[0]))
    else:
        axes.legend(fontsize="small", loc="best")
    axes.grid(alpha=0.25)


def _numbers(rows: int, shown: int) -> Values:
    return np.linspace(0, rows - 1, shown)


def _spectrum(axes: Axes, chart: Chart, values: Values, across: Values | None) -> None:
    line = values[0, 0]
    x = _numbers(chart.values[0].length, line.shape[0]) if across is None else across[0]
    axes.plot(x, line, lw=0.9, drawstyle="steps-mid")
    axes.set_xlabel("channel" if chart.across is None else _words(chart.across))
    axes.set_ylabel(_words(chart.values[0]))
    axes.grid(alpha=0.25)


def _waterfall(axes: Axes, chart: Chart, values: Values, across: Values | None) -> None:
    plane = values[0]
    low, high = np.nanpercentile(plane, (1, 99.8))
    left, right = (0.0, float(chart.values[0].length)) if across is None else _ends(across)
    picture = axes.imshow(
        plane,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="viridis",
        vmin=low,
        vmax=high if high > low else low + 1,
        extent=(left, right, 0.0, float(chart.rows)),
    )
    axes.set_xlabel("channel" if chart.across is None else _words(chart.across))
    axes.set_ylabel("row")
    axes.figure.colorbar(picture, ax=axes, label=_words(chart.values[0]))


def _ends(across: Values) -> tuple[float, float]:
    """What the first row says of the horizontal axis; channels if it says nothing."""
    first, last = float(across[0, 0]), float(across[0, -1])
    usable = np.isfinite(first) and np.isfinite(last) and first != last
    return (first, last) if usable else (0.0, float(across.shape[1]))
