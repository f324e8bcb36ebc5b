"""Picture files in the sizes that are wanted, the same bytes every time."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

from libs.imaging.outcomes import BlankPixels, ColourMap, Picture, PictureFormat, RenderSettings
from libs.imaging.stretch import Shades, Stretched

LOSSLESS: Final = 100
_QUALITY: Final = 90
_EFFORT: Final = 2


@dataclass(frozen=True)
class Size:
    """A size in pixels."""

    width: int
    height: int

    @property
    def longest(self) -> int:
        """The longer side."""
        return max(self.width, self.height)


def fitted_size(native: Size, longest_side: int, enlarged_side: int) -> Size:
    """Choose a picture's size; the aspect is kept as far as a side of at least 1 pixel allows.

    Args:
        native: Size of the image in the file.
        longest_side: Larger images are shrunk to this.
        enlarged_side: Smaller images are enlarged by the largest whole factor that stays within this.
    """
    if native.longest > longest_side:
        return Size(
            width=max(1, round(native.width * longest_side / native.longest)),
            height=max(1, round(native.height * longest_side / native.longest)),
        )
    factor = max(1, min(enlarged_side, longest_side) // native.longest)
    return Size(native.width * factor, native.height * factor)


def encode(stretched: Stretched, size: Size, settings: RenderSettings, text: Mapping[str, str]) -> Picture:
    """Write an image with its row 0 at the bottom, as astronomers expect.

    Args:
        stretched: The picture, row 0 first.
        size: To which it is resized.
        settings: Its colours, and in which formats it may be.
        text: Embedded, key by key.
    """
    image = resized(coloured(stretched, settings), size)
    return written(image, text, quality=_QUALITY if settings.webp else None)


def coloured(stretched: Stretched, settings: RenderSettings) -> Image.Image:
    """The picture with its colours, as large as it is: of one channel if it is all grey."""
    shades = 255 - stretched.shades if settings.invert else stretched.shades
    image = _mapped(shades, settings.colour_map)
    if not stretched.blank.any():
        return image
    if settings.blank_pixels is BlankPixels.TRANSPARENT:
        image.putalpha(Image.fromarray(np.where(stretched.blank, 0, 255).astype(np.uint8)[::-1]))
    else:
        level = 255 if settings.blank_pixels is BlankPixels.WHITE else 0
        image.paste((level,) * len(image.getbands()), mask=Image.fromarray(stretched.blank[::-1]))
    return image


def _mapped(shades: Shades, colours: ColourMap) -> Image.Image:
    image = Image.fromarray(shades[::-1])
    if colours is ColourMap.GREY:
        return image
    from matplotlib import colormaps  # noqa: PLC0415 - a second, which grey pictures need not take

    table = (colormaps[colours.value](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    return Image.fromarray(table[np.asarray(image)])


def resized(image: Image.Image, size: Size) -> Image.Image:
    """Shrink smoothly, or enlarge in whole pixels."""
    if size.longest < max(image.size):
        return image.resize((size.width, size.height), Image.Resampling.HAMMING)
    if (size.width, size.height) != image.size:
        return image.resize((size.width, size.height), Image.Resampling.NEAREST)
    return image


def written(image: Image.Image, text: Mapping[str, str], *, quality: int | None) -> Picture:
    """Write an image as PNG, or as WebP if that is smaller.

    Args:
        image: The picture, its first row at the top.
        text: Embedded, key by key: in a PNG as international text, in WebP as the EXIF image description.
        quality: Of WebP; `LOSSLESS`, or None for no WebP.
    """
    data, form = _png(image, text), PictureFormat.PNG
    if quality is not None:
        webp = _webp(image, text, quality)
        if len(webp) < len(data):
            data, form = webp, PictureFormat.WEBP
    etag = hashlib.sha256(data).hexdigest()
    return Picture(data=data, format=form, width=image.width, height=image.height, etag=etag)


def _png(image: Image.Image, text: Mapping[str, str]) -> bytes:
    info = PngInfo()
    for key, value in text.items():
        info.add_itxt(key, value)
    buffer = BytesIO()
    image.save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


def _webp(image: Image.Image, text: Mapping[str, str], quality: int) -> bytes:
    described = image.getexif()
    words = "\n".join(f"{key}: {value}" for key, value in text.items())
    described[Base.ImageDescription] = words.encode("ascii", "backslashreplace").decode(
        "ascii"
    )  # EXIF knows no other
    buffer = BytesIO()
    options: dict[str, int | bool] = {"lossless": True} if quality == LOSSLESS else {"quality": quality}
    image.save(buffer, format="WEBP", method=_EFFORT, exif=described.tobytes(), **options)
    return buffer.getvalue()
