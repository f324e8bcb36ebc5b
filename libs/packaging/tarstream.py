"""A package as it grows: one thread fills its blocks, three lanes write and hash them."""

import hashlib
import os
from collections.abc import Callable
from functools import partial

from libs.packaging.faults import CancelSignal, stop_if
from libs.packaging.lanes import Digest, Lanes, Piece, Ring, add_pieces
from libs.packaging.payload import PayloadFile
from libs.packaging.sources import read_into
from libs.storage.files import write_all
from libs.storage.partials import Try

LANES = ("write", "package", "files")


class TarStream:
    """The package as it grows, block by block, in the lanes.

    Attributes:
        size: Bytes so far.
    """

    def __init__(
        self,
        target: Try,
        lanes: Lanes,
        progress: Callable[[int], None] | None,
        cancelled: CancelSignal | None,
    ) -> None:
        self._target = target
        self._lanes = lanes
        self._progress = progress
        self._cancelled = cancelled
        self._ring = Ring()
        self._block = self._ring.next()
        self._pieces: list[Piece] = []
        self._digest = hashlib.sha256()
        self.size = 0

    def append(self, data: bytes) -> None:
        """Adds bytes that belong to no payload file."""
        rest = memoryview(data)
        while rest:
            room = self._room()
            part = rest[: len(room)]
            room[: len(part)] = part
            self._grow(len(part))
            rest = rest[len(part) :]

    def take(self, handle: int, file: PayloadFile, digest: Digest) -> None:
        """Adds a file's bytes, each read once.

        Raises:
            BadFileError: It has not as many bytes as planned, or cannot be read.
        """
        if file.size == 0:
            digest.add(memoryview(b""), last=True)
        left = file.size
        while left:
            room = self._room()[:left]
            count = read_into(handle, file, room, file.size - left)
            left -= count
            self._pieces.append(Piece(digest, room[:count], last=left == 0))
            self._grow(count)

    def drain(self) -> None:
        """Hands the last block over and waits for the lanes."""
        if self._block.used:
            self._hand_over()
        self._ring.drain()

    def stop_if_cancelled(self) -> None:
        """Raises PackagingCancelled if so asked."""
        stop_if(self._cancelled)

    def sha256(self) -> str:
        """Of all bytes that were handed over, hexadecimal."""
        return self._digest.hexdigest()

    def _room(self) -> memoryview:
        return self._block.view[self._block.used :]

    def _grow(self, count: int) -> None:
        self._block.used += count
        self.size += count
        if self._block.used == len(self._block.view):
            self._hand_over()

    def _hand_over(self) -> None:
        stop_if(self._cancelled)
        self._target.check()
        block, pieces, self._pieces = self._block, self._pieces, []
        filled = block.view[: block.used]
        self._lanes.run("package", block, partial(self._digest.update, filled))
        self._lanes.run("files", block, partial(add_pieces, pieces))
        self._lanes.run("write", block, partial(self._write, filled, self.size - block.used))
        self._ring.put_back(block)
        if self._progress is not None:
            self._progress(self.size)
        self._block = self._ring.next()

    def _write(self, filled: memoryview, offset: int) -> None:
        write_all(self._target.fd, filled)
        # Starts the writing now, while the next blocks are hashed; the pages stay cached until it is done.
        os.posix_fadvise(self._target.fd, offset, len(filled), os.POSIX_FADV_DONTNEED)
