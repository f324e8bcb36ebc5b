"""How a file is cut into parts, and one part in memory with its checksums."""

import base64
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from awscrt.checksums import combine_crc64nvme, crc64nvme

from libs.bus.pulse import beat
from libs.errors import Permanent, Retriable
from libs.storage.files import source_missing
from libs.storage.s3_settings import MIB

MAX_OBJECT = 5 << 40
"""Bytes of the largest object S3 knows: 5 TiB."""

_SLICE = 256 << 10


@dataclass(frozen=True, slots=True)
class PartPlan:
    """Parts of `part_size` bytes each, the last one shorter; `count` is at least 1, even for no bytes."""

    size: int
    part_size: int
    count: int

    def length(self, index: int) -> int:
        """Bytes of the part with this index, counted from 0."""
        return min(self.part_size, self.size - index * self.part_size)


def plan_parts(size: int, part_size: int, max_parts: int) -> PartPlan:
    """Cut `size` bytes into parts of `part_size`, in whole MiB more where `max_parts` would not suffice.

    Raises:
        Permanent: `object_too_large` above 5 TiB.
    """
    if size > MAX_OBJECT:
        raise Permanent(
            "object_too_large", f"{size} bytes are more than S3 stores in one object", "Split the file."
        )
    needed = -(-size // max_parts)
    grown = max(part_size, -(-needed // MIB) * MIB)
    return PartPlan(size, grown, max(1, -(-size // grown)))


def encode_crc(value: int) -> str:
    """A CRC-64 as S3 writes it: base64 of eight bytes, the highest first."""
    return base64.b64encode(value.to_bytes(8, "big")).decode("ascii")


def crc_of(data: bytes | memoryview) -> str:
    """The CRC-64/NVME of some bytes, as S3 writes it."""
    return encode_crc(crc64nvme(data))


class PartBody:
    """Bytes as a request body: written in slices without a copy, and again from the start on a retry.

    botocore wants `read`, `seek` and `tell`; aiohttp takes the slices from `__aiter__`, which lets the
    event loop breathe between them.
    """

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def __len__(self) -> int:
        return len(self._data)

    def read(self, count: int = -1) -> bytes:
        """Return the next `count` bytes, all that is left by default."""
        stop = len(self._data) if count < 0 else min(len(self._data), self._at + count)
        block = bytes(self._data[self._at : stop])
        self._at = stop
        return block

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset as files do."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self._data)}[whence]
        self._at = min(max(0, base + offset), len(self._data))
        return self._at

    def tell(self) -> int:
        """The offset of the next byte."""
        return self._at

    async def __aiter__(self) -> AsyncIterator[memoryview]:
        for start in range(self._at, len(self._data), _SLICE):
            beat()
            yield self._data[start : start + _SLICE]


class PartSource:
    """A file read once from start to end, into buffers that the caller owns.

    Reads come one at a time, each in any thread; `close` waits for a read that a cancelled task left behind.

    Raises:
        Permanent: `source_missing`, or `source_changed` when its size is not the expected one.
        Retriable: `storage_unavailable`: the disk fails to hand out the file, which says nothing of its bytes.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._sha = hashlib.sha256()
        self._crc = 0
        self._lock = threading.Lock()
        try:
            with self._disk_errors():
                self._file = path.open("rb", buffering=0)
        except FileNotFoundError as error:
            raise source_missing(path) from error

    def read(self, buffer: bytearray, length: int) -> str:
        """Fill the first `length` bytes of `buffer` and return their CRC-64 as S3 writes it; blocking."""
        with self._lock, memoryview(buffer)[:length] as view:
            filled = 0
            while filled < length:
                with self._disk_errors():
                    count = self._file.readinto(view[filled:])
                if not count:
                    raise self._changed("it ended early")
                filled += count
            self._sha.update(view)
            crc = crc64nvme(view)
            self._crc = combine_crc64nvme(self._crc, crc, length) if length else self._crc
            return encode_crc(crc)

    def finish(self) -> tuple[str, str]:
        """Check that the file ends here; return its SHA-256 (hexadecimal) and CRC-64 (base64); blocking."""
        with self._lock:
            with self._disk_errors():
                more = self._file.read(1)
            if more:
                raise self._changed("it goes on after its expected end")
            return self._sha.hexdigest(), encode_crc(self._crc)

    def close(self) -> None:
        """Close the file; blocking while a read is going on."""
        with self._lock:
            self._file.close()

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """What the disk refuses is no fault of the server that the bytes are for."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Retriable(
                "storage_unavailable",
                f"{self._path} cannot be read: {error.strerror or error}",
                "Check the disk and the mount; it is read again by itself.",
            ) from error

    def _changed(self, what: str) -> Permanent:
        return Permanent(
            "source_changed",
            f"{self._path} has not the expected {self._size} bytes: {what}",
            "Find out who writes to it; seal the package again.",
        )
