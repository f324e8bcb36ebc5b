"""Find the image (or table) in a FITS file and read an image's rows, scaled, a block at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import GzipFile
from math import prod
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from libs.imaging.maps import SkyMap, map_of
from libs.imaging.outcomes import NoPreviewCode, UnshowableError
from libs.imaging.signature import Signature
from libs.imaging.tables import Chart, choose_chart, columns_of

Values = NDArray[np.float64]
"""Physical values, shape (rows, columns), row 0 being the lowest on the sky's picture; blank is NaN."""

_DTYPES: Final = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_PLANE_AXES: Final = 2
_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class PlaneChoice:
    """Which two axes of an array are shown, and where the others are held.

    Attributes:
        index: One entry per axis of the array, slowest first: a position, or None for the two shown.
        plane: The plane's number among those of the cube.
        planes: How many planes there are.
        height: Rows.
        width: Columns.
    """

    index: tuple[int | None, ...]
    plane: int
    planes: int
    height: int
    width: int


class RowReader(Protocol):
    """Reads rows of one plane."""

    def rows(self, first: int, stop: int) -> Values:
        """Give the rows `first` up to, not including, `stop`."""
        ...


@dataclass(frozen=True)
class ImagePlane:
    """The plane that represents a file.

    Attributes:
        hdu: Number of its HDU, counted from 0.
        extension: EXTNAME, or an empty string.
        choice: Which plane of the HDU's array.
        reader: Gives its rows while the file is open.
        sky: Its axes, if it is a radio map.
    """

    hdu: int
    extension: str
    choice: PlaneChoice
    reader: RowReader
    sky: SkyMap | None


@dataclass(frozen=True)
class TablePlane:
    """The table that represents a file without an image.

    Attributes:
        hdu: Number of its HDU, counted from 0.
        extension: EXTNAME, or an empty string.
        chart: What is drawn of it.
        table: The HDU, while the file is open.
    """

    hdu: int
    extension: str
    chart: Chart
    table: fits.BinTableHDU | fits.TableHDU


def choose_plane(shape: tuple[int, ...]) -> PlaneChoice | None:
    """Choose what to show of an array: axes of length 1 are dropped, of a cube the middle plane is taken.

    Args:
        shape: Lengths, slowest axis first.

    Returns:
        None if there are fewer than two axes or no pixel.
    """
    if len(shape) < _PLANE_AXES or prod(shape) == 0:
        return None
    kept = list(range(len(shape)))
    for axis, length in enumerate(shape):
        if length == 1 and len(kept) > _PLANE_AXES:
            kept.remove(axis)
    row_axis, column_axis = kept[-_PLANE_AXES:]
    leading = kept[:-_PLANE_AXES]
    plane = 0
    for axis in leading:
        plane = plane * shape[axis] + shape[axis] // 2
    shown = {row_axis, column_axis}
    return PlaneChoice(
        index=tuple(None if axis in shown else length // 2 for axis, length in enumerate(shape)),
        plane=plane,
        planes=prod(shape[axis] for axis in leading),
        height=shape[row_axis],
        width=shape[column_axis],
    )


@contextmanager
def open_plane(path: Path, signature: Signature) -> Iterator[ImagePlane | TablePlane]:
    """Open a file and find the first HDU that holds an image, or else the first table that can be drawn.

    Args:
        path: The file.
        signature: How it begins: FITS or GZIPPED_FITS.

    Raises:
        UnshowableError: It holds neither, or ends before they do.
        OSError: It cannot be read, or its headers are damaged.
        EOFError: Its gzip stream ends early.
    """
    with path.open("rb") as file:
        if signature is Signature.GZIPPED_FITS:
            with GzipFile(fileobj=file, mode="rb") as unzipped, _gzip_faults_named(unzipped):
                yield from _plane_in(cast("BinaryIO", unzipped), None)
        else:
            yield from _plane_in(file, os.fstat(file.fileno()).st_size)


@contextmanager
def _gzip_faults_named(unzipped: GzipFile) -> Iterator[None]:
    """Astropy takes the early end of a gzip stream for a file without HDUs: look for the true fault."""
    try:
        yield
    except OSError:
        unzipped.seek(0)
        while unzipped.read(_PIECE_BYTES):
            pass
        raise


def _plane_in(stream: BinaryIO, length: int | None) -> Iterator[ImagePlane | TablePlane]:
    """Give the plane once; `length` is None for a gzipped stream, which ends who knows where."""
    # None and not True: with True astropy refuses scaled tile-compressed images.
    memmap = None if length is not None else False
    with fits.open(stream, mode="readonly", memmap=memmap, lazy_load_hdus=True) as hdus:
        for number, hdu in enumerate(hdus):
            choice = choose_plane(_image_shape(hdu))
            if choice is not None:
                reader = _reader(stream, length, hdu, choice)
                sky = map_of(hdu.header, choice.width, choice.height)
                yield ImagePlane(number, hdu.name, choice, reader, sky)
                return
        for number, hdu in enumerate(hdus):
            chart = _chart_of(hdu)
            if chart is not None:
                if length is not None:
                    place = hdu.fileinfo()
                    _check_length(
                        length, int(place["datLoc"]) + hdu.header["NAXIS1"] * hdu.header["NAXIS2"], "table"
                    )
                yield TablePlane(number, hdu.name, chart, hdu)
                return
        contents = ", ".join(type(hdu).__name__.removesuffix("HDU") for hdu in hdus)
    raise UnshowableError(
        NoPreviewCode.NO_IMAGE,
        f"no HDU holds an image of two axes or a table of numbers; there are: {contents}",
    )


def _image_shape(hdu: object) -> tuple[int, ...]:
    """Give the array's shape if the HDU is an image; tables have none, random groups have NAXIS1 = 0."""
    if isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU):
        return tuple(int(length) for length in hdu.shape)
    return ()


def _chart_of(hdu: object) -> Chart | None:
    if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
        return choose_chart(columns_of(hdu), int(hdu.header["NAXIS2"]))
    return None


def _reader(
    stream: BinaryIO,
    length: int | None,
    hdu: fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU,
    choice: PlaneChoice,
) -> RowReader:
    if isinstance(hdu, fits.CompImageHDU):
        return _CompressedRows(hdu, choice)
    header = hdu.header
    dtype = np.dtype(_DTYPES[header["BITPIX"]])
    plane_bytes = choice.height * choice.width * dtype.itemsize
    reader = _PlainRows(
        stream=stream,
        offset=int(hdu.fileinfo()["datLoc"]) + choice.plane * plane_bytes,
        width=choice.width,
        dtype=dtype,
        scale=float(header.get("BSCALE", 1.0)),
        zero=float(header.get("BZERO", 0.0)),
        blank=_blank(header, dtype),
    )
    if length is not None:
        _check_length(length, reader.offset + plane_bytes)
    return reader


def _blank(header: fits.Header, dtype: np.dtype[np.generic]) -> int | None:
    """Give BLANK, which the standard defines for integers only (section 4.4.2.5)."""
    value = header.get("BLANK")
    return int(value) if value is not None and dtype.kind in "iu" else None


def _check_length(found: int, needed: int, what: str = "image") -> None:
    if found < needed:
        raise UnshowableError(
            NoPreviewCode.TRUNCATED, f"the {what} ends at byte {needed:,}, the file at byte {found:,}"
        )


@dataclass(frozen=True)
class _PlainRows:
    """Rows of an uncompressed array, read at their place so that memory does not grow with the file."""

    stream: BinaryIO
    offset: int
    width: int
    dtype: np.dtype[np.generic]
    scale: float
    zero: float
    blank: int | None

    def rows(self, first: int, stop: int) -> Values:
        row_bytes = self.width * self.dtype.itemsize
        begin, wanted = self.offset + first * row_bytes, (stop - first) * row_bytes
        self.stream.seek(begin)
        data = self.stream.read(wanted)
        _check_length(begin + len(data), begin + wanted)
        raw = np.frombuffer(data, self.dtype).reshape(stop - first, self.width)
        values = raw.astype(np.float64)
        if (self.scale, self.zero) != (1.0, 0.0):
            values *= self.scale
            values += self.zero
        if self.blank is not None:
            values[raw == self.blank] = np.nan
        return values


@dataclass(frozen=True)
class _CompressedRows:
    """Rows of a tile-compressed image; astropy decompresses the tiles that are asked for, and scales."""

    hdu: fits.CompImageHDU
    choice: PlaneChoice

    def rows(self, first: int, stop: int) -> Values:
        shown = iter((slice(first, stop), slice(0, self.choice.width)))
        index = tuple(next(shown) if place is None else place for place in self.choice.index)
        try:
            return np.asarray(self.hdu.section[index], dtype=np.float64)
        except (MemoryError, OSError, EOFError):
            raise
        except Exception as error:
            # The decoders have an exception class of their own, which astropy does not publish.
            raise UnshowableError(NoPreviewCode.DAMAGED, f"{type(error).__name__}: {error}") from error
