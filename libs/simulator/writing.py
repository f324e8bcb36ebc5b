"""How the bytes of a frame come to the disk: all at once by renaming, or slowly under the final name."""

import time
from enum import Enum
from pathlib import Path
from typing import Final

_SLICES: Final = 20
_PAUSE: Final = 0.05


class Placement(Enum):
    """How a file appears in the instrument's folder."""

    RENAMED = "renamed"
    """Written under a hidden temporary name, then renamed: it is either absent or complete."""
    SLOW_IN_PLACE = "slow_in_place"
    """Written under its final name in twenty slices over a second, as careless instruments do."""


def place(path: Path, data: bytes, placement: Placement) -> None:
    """Write a file; missing folders are made. Blocking.

    Raises:
        OSError: The disk refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    match placement:
        case Placement.RENAMED:
            temporary = path.with_name(f".{path.name}.part")
            temporary.write_bytes(data)
            temporary.replace(path)
        case Placement.SLOW_IN_PLACE:
            _write_slowly(path, data)


def _write_slowly(path: Path, data: bytes) -> None:
    step = max(1, -(-len(data) // _SLICES))
    with path.open("wb", buffering=0) as file:
        for begin in range(0, len(data), step):
            file.write(data[begin : begin + step])
            time.sleep(_PAUSE)
