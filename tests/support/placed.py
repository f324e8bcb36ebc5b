"""Files as a staging job puts them into its folder."""

import hashlib
import os
from pathlib import Path

from libs.copies.staged import PlacedFile

DATA = b"as the instrument wrote it"
TIME_NS = 1_700_000_000_123_456_789


def placed(folder: Path, path: str, data: bytes = DATA, mtime_ns: int = TIME_NS) -> PlacedFile:
    """A file of these bytes and this time stands there; what should is `DATA` of `TIME_NS`."""
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    os.utime(place, ns=(mtime_ns, mtime_ns))
    return PlacedFile(path, len(DATA), TIME_NS, hashlib.sha256(DATA).hexdigest())
