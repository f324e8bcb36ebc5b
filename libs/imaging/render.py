"""Make the pictures of one FITS file. Blocking and heavy: meant for a worker process."""

import errno
import struct
import warnings
import zlib
from pathlib import Path
from typing import Final

from astropy.io.fits.verify import VerifyError
from PIL.Image import Image

from libs.imaging.averaging import factor_of, read_averaged
from libs.imaging.encoding import LOSSLESS, Size, encode, fitted_size, resized, written
from libs.imaging.maps import UNUSABLE, SkyMap
from libs.imaging.outcomes import (
    NoPreview,
    NoPreviewCode,
    Picture,
    Rendered,
    RenderSettings,
    UnshowableError,
)
from libs.imaging.planes import ImagePlane, TablePlane, Values, open_plane
from libs.imaging.signature import Signature, read_signature, refusal_of
from libs.imaging.stretch import Stretched, stretch

# What astropy and numpy raise over headers or tiles that contradict themselves.
_DAMAGE: Final = (
    VerifyError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    struct.error,
    zlib.error,
)

_IMPOSSIBLE_OFFSET: Final = {errno.EINVAL, errno.EFBIG, errno.EOVERFLOW}


def render_fits(path: Path, *, settings: RenderSettings) -> Rendered | NoPreview:
    """Make thumbnail and preview of the first image of a FITS file, or of its first table if it has none.

    Args:
        path: A plain, tile-compressed or gzipped FITS file; the content counts, not the name.
        settings: Sizes and stretch.

    Returns:
        The pictures, or why there are none. The same file, name and settings give the same bytes.
    """
    try:
        signature = read_signature(path)
        refusal = refusal_of(signature)
        return refusal if refusal is not None else _render(path, signature, settings)
    except UnshowableError as unshowable:
        return unshowable.outcome
    except MemoryError:
        return _too_large()
    except EOFError as error:
        return NoPreview(code=NoPreviewCode.TRUNCATED, reason=str(error))
    except OSError as error:
        return _of_os_error(error)
    except _DAMAGE as error:
        return NoPreview(code=NoPreviewCode.DAMAGED, reason=f"{type(error).__name__}: {error}")


def _render(path: Path, signature: Signature, settings: RenderSettings) -> Rendered:
    with warnings.catch_warnings():
        # Small sins against the standard are common in real headers and no reason to show nothing.
        warnings.simplefilter("ignore")
        with open_plane(path, signature) as plane:
            if isinstance(plane, TablePlane):
                return _drawn(path, plane, settings)
            values = read_averaged(plane, settings.working_side)
            stretched = stretch(values, settings)
        text = _describe(path, plane, stretched, settings)
        pictures = _pictures(plane, stretched, settings, text)
        image = None if plane.sky is None else _map(plane.sky, values, plane, pictures, settings)
        if plane.sky is None or image is None:
            return pictures
        # The thumbnail is too small for axes.
        quality = LOSSLESS if settings.webp else None
        preview = written(image, text | {"Chart": f"map in {plane.sky.unit}"}, quality=quality)
        return pictures.model_copy(update={"preview": preview})


def _pictures(
    plane: ImagePlane, stretched: Stretched, settings: RenderSettings, text: dict[str, str]
) -> Rendered:
    native = Size(plane.choice.width, plane.choice.height)

    def picture(longest_side: int, enlarged_side: int) -> Picture:
        return encode(stretched, fitted_size(native, longest_side, enlarged_side), settings, text)

    return Rendered(
        thumbnail=picture(settings.thumbnail_side, settings.thumbnail_side),
        preview=picture(settings.preview_side, settings.enlarged_side),
        hdu=plane.hdu,
        plane=plane.choice.plane,
        planes=plane.choice.planes,
        native_width=native.width,
        native_height=native.height,
        black=stretched.black,
        white=stretched.white,
    )


def _map(
    sky: SkyMap, values: Values, plane: ImagePlane, pictures: Rendered, settings: RenderSettings
) -> Image | None:
    """A map with its axes and a scale; None if they cannot be drawn."""
    from libs.imaging.charts import draw_map  # noqa: PLC0415 - matplotlib takes a second, which images need not take

    factor = factor_of(plane, settings.working_side)
    try:
        return draw_map(values, sky, settings, factor=factor, lowest=pictures.black, highest=pictures.white)
    except UNUSABLE:
        return None


def _drawn(path: Path, plane: TablePlane, settings: RenderSettings) -> Rendered:
    """The pictures of a table: a chart, and the same small."""
    from libs.imaging.charts import draw  # noqa: PLC0415 - as above

    drawn = draw(plane.table, plane.chart, settings)
    text = _titles(path, plane) | {
        "Chart": f"{plane.chart.kind} of {', '.join(column.name for column in plane.chart.values)}"
    }
    native = Size(*drawn.image.size)
    small = fitted_size(native, settings.thumbnail_side, settings.thumbnail_side)
    quality = LOSSLESS if settings.webp else None
    across, up = drawn.size
    return Rendered(
        thumbnail=written(resized(drawn.image, small), text, quality=quality),
        preview=written(drawn.image, text, quality=quality),
        hdu=plane.hdu,
        plane=0,
        planes=1,
        native_width=across,
        native_height=up,
        black=drawn.lowest,
        white=drawn.highest,
    )


def _titles(path: Path, plane: ImagePlane | TablePlane) -> dict[str, str]:
    """A name that is no UTF-8 is given with escapes."""
    return {
        "Title": path.name.encode("utf-8", "backslashreplace").decode("utf-8"),
        "Software": "Chasqui",
        "FITS-HDU": f"{plane.hdu} {plane.extension}".strip(),
    }


def _describe(
    path: Path, plane: ImagePlane, stretched: Stretched, settings: RenderSettings
) -> dict[str, str]:
    """Say in the picture itself what it shows."""
    return _titles(path, plane) | {
        "FITS-Plane": f"{plane.choice.plane + 1} of {plane.choice.planes}",
        "Stretch": (
            f"{settings.stretch}, percentiles {settings.lower_percentile:g}, {settings.midtone_percentile:g} and "
            f"{settings.upper_percentile:g}, black {stretched.black:g}, white {stretched.white:g}"
        ),
    }


def _of_os_error(error: OSError) -> NoPreview:
    if error.errno == errno.ENOMEM:
        return _too_large()
    if error.errno in _IMPOSSIBLE_OFFSET:
        return NoPreview(code=NoPreviewCode.DAMAGED, reason="a header places data at an impossible offset")
    if error.errno is not None:
        return NoPreview(code=NoPreviewCode.UNREADABLE, reason=error.strerror or str(error))
    return NoPreview(code=NoPreviewCode.DAMAGED, reason=str(error))


def _too_large() -> NoPreview:
    return NoPreview(
        code=NoPreviewCode.TOO_LARGE, reason="the image needs more memory than the renderer may use"
    )
