"""What is asked of the renderer and what it answers: settings, pictures, or the reason for none."""

import base64
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    model_validator,
)


def _from_base64(value: bytes | str) -> bytes:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


Base64 = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    PlainSerializer(_to_base64, return_type=str, when_used="json"),
]
"""Bytes in Python, base64 in JSON."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Stretch(StrEnum):
    """How brightness grows between black and white."""

    MIDTONE = "midtone"
    """The value at `midtone_percentile` becomes middle grey, by a rational function."""
    ASINH = "asinh"
    """Linear for the faint, logarithmic for the bright (Lupton et al. 2004); see `asinh_a`."""
    GAMMA = "gamma"
    """A power; see `gamma`."""
    LOG = "log"
    """Logarithmic, over three decades."""
    SQRT = "sqrt"
    """The square root."""
    EXP = "exp"
    """An exponential, over three decades: only the bright."""
    SQUARE = "square"
    """The square."""
    SINH = "sinh"
    """The inverse of asinh: only the bright."""
    LINEAR = "linear"
    """As it is."""


class BlankPixels(StrEnum):
    """How pixels without a value are shown."""

    BLACK = "black"
    """As the darkest there is."""
    WHITE = "white"
    """As the brightest there is."""
    TRANSPARENT = "transparent"
    """The page shines through."""


class ColourMap(StrEnum):
    """What colour a brightness has."""

    GREY = "grey"
    """From black to white."""
    VIRIDIS = "viridis"
    """From dark blue over green to yellow; readable for the colour-blind."""
    INFERNO = "inferno"
    """From black over red to yellow."""
    COOLWARM = "coolwarm"
    """From blue to red, for values on both sides of nothing."""


class RenderSettings(_Frozen):
    """How a picture is made of an image.

    Attributes:
        lower_percentile: The share of finite pixels, in percent, at or below black.
        midtone_percentile: The percentile that becomes middle grey; for the stretch `midtone`.
        upper_percentile: The percentile that becomes white.
        stretch: How brightness grows between the two.
        asinh_a: Where the asinh stretch turns from linear to logarithmic, as a part of the range.
        gamma: The power of the gamma stretch.
        blank_pixels: How pixels without a value are shown.
        invert: Whether black and white are exchanged; blank pixels are not.
        colour_map: What colour a brightness has.
        webp: Whether pictures are WebP where that is smaller than PNG.
        thumbnail_side: Longest side of the thumbnail, in pixels.
        preview_side: Longest side of the preview, in pixels.
        enlarged_side: Images smaller than this are enlarged by a whole factor, so that they can be seen.
        working_side: Longer images are averaged down to about this many pixels while they are read.
    """

    lower_percentile: float = Field(default=1.0, ge=0, lt=100)
    midtone_percentile: float = Field(default=97.5, ge=0, le=100)
    upper_percentile: float = Field(default=99.8, gt=0, le=100)
    stretch: Stretch = Stretch.MIDTONE
    asinh_a: float = Field(default=0.1, gt=0, le=1)
    gamma: float = Field(default=0.5, gt=0, le=10)
    blank_pixels: BlankPixels = BlankPixels.BLACK
    invert: bool = False
    colour_map: ColourMap = ColourMap.GREY
    webp: bool = True
    thumbnail_side: int = Field(default=128, ge=1, le=1024)
    preview_side: int = Field(default=1024, ge=1, le=8192)
    enlarged_side: int = Field(default=512, ge=1, le=8192)
    working_side: int = Field(default=2048, ge=64, le=8192)

    @model_validator(mode="after")
    def _percentiles_in_order(self) -> Self:
        if not self.lower_percentile <= self.midtone_percentile <= self.upper_percentile or (
            self.lower_percentile == self.upper_percentile
        ):
            message = "lower_percentile must be below upper_percentile, and midtone_percentile between them"
            raise ValueError(message)
        return self


class PictureFormat(StrEnum):
    """What a picture file is."""

    PNG = "png"
    """Without loss."""
    WEBP = "webp"
    """Of images with a loss that is not seen, of charts without."""


class Picture(_Frozen):
    """One picture file.

    Attributes:
        data: The file's bytes.
        format: What they are.
        width: In pixels.
        height: In pixels.
        etag: SHA-256 of `data`, in lower-case hexadecimal.
    """

    data: Base64
    format: PictureFormat
    width: int
    height: int
    etag: str


class Rendered(_Frozen):
    """The pictures of one file.

    Attributes:
        thumbnail: Small enough for a list.
        preview: Large enough to judge the observation.
        hdu: Which HDU is shown, counted from 0.
        plane: Which plane of a cube is shown, counted from 0.
        planes: How many planes the image has; 1 when it is no cube.
        native_width: NAXIS1 of the image, in pixels; of a chart, how many values it has across.
        native_height: NAXIS2 of the image, in pixels; of a chart, how many lines or rows it has.
        black: The value that is shown darkest; of a chart, the smallest.
        white: The value that is shown brightest; of a chart, the largest.
    """

    kind: Literal["rendered"] = "rendered"
    thumbnail: Picture
    preview: Picture
    hdu: int
    plane: int
    planes: int
    native_width: int
    native_height: int
    black: float
    white: float


class NoPreviewCode(StrEnum):
    """Why a file has no picture."""

    EMPTY_FILE = "empty_file"
    """It has no bytes."""
    NOT_FITS = "not_fits"
    """It does not begin as FITS does."""
    UNREADABLE = "unreadable"
    """The operating system refused to open or read it, or it is no regular file."""
    NO_IMAGE = "no_image"
    """It is FITS, but holds no image and no table that could be drawn."""
    ALL_BLANK = "all_blank"
    """It has an image without one finite pixel."""
    TRUNCATED = "truncated"
    """It ends before its image does."""
    DAMAGED = "damaged"
    """Its headers or its compressed data contradict the standard."""
    TOO_LARGE = "too_large"
    """The image needs more memory than the renderer may use."""
    RENDERER_CRASHED = "renderer_crashed"
    """The worker process died over it."""
    RENDERER_TIMEOUT = "renderer_timeout"
    """The worker process was stopped because it took too long."""


class NoPreview(_Frozen):
    """A file that has no picture, and why.

    Attributes:
        code: For programs.
        reason: For people.
    """

    kind: Literal["no_preview"] = "no_preview"
    code: NoPreviewCode
    reason: str


RenderOutcome = Annotated[Rendered | NoPreview, Field(discriminator="kind")]
"""What became of one file."""

OUTCOMES: TypeAdapter[Rendered | NoPreview] = TypeAdapter(RenderOutcome)
"""Reads and writes a `RenderOutcome` as JSON."""


class UnshowableError(Exception):
    """Raised inside the renderer where it finds that there is nothing to show.

    Args:
        code: Why.
        reason: Why, in words.
    """

    def __init__(self, code: NoPreviewCode, reason: str) -> None:
        super().__init__(reason)
        self.outcome = NoPreview(code=code, reason=reason)
