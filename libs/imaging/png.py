"""PNG files of shades of grey, in the sizes that are wanted, the same bytes every time."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from libs.imaging.outcomes import Picture
from libs.imaging.stretch import Shades


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


def encode(shades: Shades, size: Size, text: Mapping[str, str]) -> Picture:
    """Write a PNG with row 0 of the image at the bottom, as astronomers expect.

    Args:
        shades: The picture, row 0 first.
        size: To which it is resized.
        text: Embedded as international text, key by key.
    """
    image = Image.fromarray(shades[::-1])
    if size.longest < max(image.size):
        image = image.resize((size.width, size.height), Image.Resampling.HAMMING)
    elif (size.width, size.height) != image.size:
        image = image.resize((size.width, size.height), Image.Resampling.NEAREST)
    info = PngInfo()
    for key, value in text.items():
        info.add_itxt(key, value)
    buffer = BytesIO()
    image.save(buffer, format="PNG", pnginfo=info)
    png = buffer.getvalue()
    return Picture(png=png, width=size.width, height=size.height, etag=hashlib.sha256(png).hexdigest())
