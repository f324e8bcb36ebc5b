"""Picture files in the sizes that are wanted, the same bytes every time."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from libs.imaging.outcomes import BlankPixels, ColourMap, Picture, RenderSettings
from libs.imaging.stretch import Shades, Stretched


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
    """Write a PNG with row 0 of the image at the bottom, as astronomers expect.

    Args:
        stretched: The picture, row 0 first.
        size: To which it is resized.
        settings: Its colours.
        text: Embedded as international text, key by key.
    """
    return png_of(resized(coloured(stretched, settings), size), text)


def coloured(stretched: Stretched, settings: RenderSettings) -> Image.Image:
    """The picture with its colours, as large as it is: of one channel if it is all grey."""
    shades = 255 - stretched.shades if settings.invert else stretched.shades
    if settings.blank_pixels is BlankPixels.TRANSPARENT and stretched.blank.any():
        image = _mapped(shades, settings.colour_map)
        image.putalpha(Image.fromarray(np.where(stretched.blank, 0, 255).astype(np.uint8)[::-1]))
        return image
    image = _mapped(shades, settings.colour_map)
    if stretched.blank.any():
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


def png_of(image: Image.Image, text: Mapping[str, str]) -> Picture:
    """Write an image as it is.

    Args:
        image: The picture, its first row at the top.
        text: Embedded as international text, key by key.
    """
    info = PngInfo()
    for key, value in text.items():
        info.add_itxt(key, value)
    buffer = BytesIO()
    image.save(buffer, format="PNG", pnginfo=info)
    png = buffer.getvalue()
    return Picture(png=png, width=image.width, height=image.height, etag=hashlib.sha256(png).hexdigest())
