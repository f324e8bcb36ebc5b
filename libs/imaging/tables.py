"""What a table in a FITS file is shown as: which of its columns against which. Reads headers and a few rows."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

MOST_ROWS: Final = 4096
"""Of longer tables rows are left out, evenly."""
MOST_CHANNELS: Final = 4096
MOST_LINES: Final = 6
_TIMES: Final = re.compile(r"^(mjd|jd|ut|date[-_]?obs|time|sec|lst|epoch)", re.IGNORECASE)
_FREQUENCIES: Final = re.compile(
    r"^(freq|nu$|wave|lambda|loglam|velocity|vel$|channel|chan$|energy)", re.IGNORECASE
)
_VALUES: Final = re.compile(
    r"^(flux|data|spectrum|spectra|intensity|power|amp|counts?|xx|yy|i$|t_?a|tsys|calib)", re.IGNORECASE
)
_NUMBERS: Final = frozenset("BIJKED")
_FORMAT: Final = re.compile(r"\s*(\d*)([A-Z])(\d[\d.]*)?")
_LONGEST_LABEL: Final = 60


class ChartKind(StrEnum):
    """How a table is drawn."""

    LINES = "lines"
    """One or more columns against time, frequency or the number of the row."""
    SPECTRUM = "spectrum"
    """One array against its channels, or another array that tells them."""
    WATERFALL = "waterfall"
    """An array a row: rows upwards, channels to the right."""


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        unit: As the header says it; may be empty.
        length: How many values each row has.
    """

    name: str
    unit: str
    length: int

    @property
    def label(self) -> str:
        """Name and unit, as far as there is room."""
        words = f"{self.name} ({self.unit})" if self.unit else self.name
        return words if len(words) <= _LONGEST_LABEL else words[: _LONGEST_LABEL - 1] + "…"


@dataclass(frozen=True)
class Chart:
    """What is drawn of a table.

    Attributes:
        across: What the horizontal axis is; None for the number of the row or channel.
        values: What is drawn; one column, but for lines.
        rows: Of the table.
    """

    kind: ChartKind
    across: Column | None
    values: tuple[Column, ...]
    rows: int


def choose_chart(columns: Sequence[Column], rows: int) -> Chart | None:
    """Choose what represents a table; None if it has nothing that can be drawn.

    Args:
        columns: Those that hold numbers, in their order.
        rows: Of the table.
    """
    if rows == 0:
        return None
    arrays = [column for column in columns if column.length > 1]
    if arrays:
        return _of_arrays(arrays, rows)
    if rows == 1:
        return None
    across = _named(columns, _TIMES) or _named(columns, _FREQUENCIES)
    others = [column for column in columns if column is not across]
    telling = [column for column in others if _VALUES.match(column.name)] or others
    if not telling:
        return None
    return Chart(ChartKind.LINES, across, tuple(telling[:MOST_LINES]), rows)


def _of_arrays(arrays: Sequence[Column], rows: int) -> Chart:
    values = _named(arrays, _VALUES) or _widest(arrays, but=_named(arrays, _FREQUENCIES))
    like = [column for column in arrays if column is not values and column.length == values.length]
    across = _named(like, _FREQUENCIES)
    return Chart(ChartKind.SPECTRUM if rows == 1 else ChartKind.WATERFALL, across, (values,), rows)


def _named(columns: Iterable[Column], names: re.Pattern[str]) -> Column | None:
    return next((column for column in columns if names.match(column.name)), None)


def _widest(arrays: Sequence[Column], but: Column | None) -> Column:
    others = [column for column in arrays if column is not but] or list(arrays)
    return max(others, key=lambda column: column.length)


def columns_of(hdu: fits.BinTableHDU | fits.TableHDU) -> list[Column]:
    """The columns that hold real numbers, arrays of variable length left out."""
    return [
        Column(column.name, column.unit or "", length)
        for column in hdu.columns
        if (length := _length(column)) > 0
    ]


def _length(column: fits.Column) -> int:
    """How many numbers a row has; 0 for what is no number."""
    found = _FORMAT.fullmatch(str(column.format))
    if found is None:
        return 0
    count, code, width = found.groups()
    if width:  # of a text table: Iw, Fw.d, Ew.d, Dw.d
        return 1 if code in "IFED" else 0
    return int(count or 1) if code in _NUMBERS else 0


def read_values(hdu: fits.BinTableHDU | fits.TableHDU, column: Column, rows: int) -> NDArray[np.float64]:
    """The values of a column, thinned out evenly.

    Args:
        hdu: The table.
        column: One of `columns_of`.
        rows: Of the table.

    Returns:
        Shape (rows,) for single numbers, (rows, channels) for arrays, of at most `MOST_ROWS` and `MOST_CHANNELS`.
    """
    every = -(-rows // MOST_ROWS)
    field: Any = hdu.data.field(column.name)[::every]
    values: NDArray[np.float64] = np.asarray(field, dtype=np.float64)
    values = values.reshape(len(values), -1)
    values = values[:, :: -(-values.shape[1] // MOST_CHANNELS)]
    return values[:, 0] if column.length == 1 else values
