"""What the pool and its worker processes say to each other: frames of JSON, each after its length.

JSON and not pickle: a worker that a hostile file has taken over must not be able to run code in its parent.
"""

import struct
from typing import Final

from pydantic import BaseModel, ConfigDict

from libs.imaging.outcomes import Base64, RenderSettings

LENGTH: Final = struct.Struct(">I")
"""Goes before each frame: the number of bytes that follow."""

LONGEST_FRAME: Final = 1 << 28
"""A longer frame is no answer of ours, in bytes."""

READY: Final = b"ready"
"""The worker's first frame, once it has loaded what it needs."""


class RenderRequest(BaseModel):
    """One file to render.

    Attributes:
        path: As the file system knows it (`os.fsencode`), since names need not be UTF-8.
        settings: How.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Base64
    settings: RenderSettings


def framed(body: bytes) -> bytes:
    """Put the length before a frame's body."""
    return LENGTH.pack(len(body)) + body
