"""Moving a range of bytes between two open files, in blocks, at a given pace. Everything here blocks."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass

from libs.bus.pulse import beat
from libs.errors import Permanent, Retriable
from libs.transfer.engine import Cancel
from libs.transfer.ratelimit import RateLimit

_NAP = 0.1
_NO_KERNEL_COPY = frozenset({errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM})


@dataclass(frozen=True, slots=True)
class Pace:
    """When the next block may go, and who hears that it went.

    Attributes:
        block: Bytes of a block.
        limit: Shared limit of bytes per second, if any.
        stops: Any of these ends the copying before the next block.
        moved: Hears the bytes of each block.
    """

    block: int
    limit: RateLimit | None
    stops: tuple[Cancel, ...]
    moved: Callable[[int], None]

    def check(self) -> None:
        """Go on only if nobody asked for a stop. Who gets here has moved a block, or waits for its turn: it lives.

        Raises:
            Retriable: `transfer_cancelled`.
        """
        beat()
        if any(stop.requested for stop in self.stops):
            raise Retriable(
                "transfer_cancelled", "the transfer was stopped", "Start it again: it goes on from there."
            )

    def wait(self, count: int) -> None:
        """Wait for the turn of a block of `count` bytes."""
        self.check()
        seconds = self.limit.reserve(count) if self.limit else 0.0
        while seconds > 0:
            self.stops[0].wait(min(_NAP, seconds))
            seconds -= _NAP
            self.check()

    def block_size(self) -> int:
        """Bytes to move at a time under the limit."""
        return self.limit.block_size(self.block) if self.limit else self.block


class RangeCopier:
    """Copies ranges of one file into another: inside the kernel where both file systems allow it."""

    def __init__(self, source: int, destination: int) -> None:
        self._source = source
        self._destination = destination
        self._in_kernel = hasattr(os, "copy_file_range")

    def copy(self, offset: int, length: int, pace: Pace) -> None:
        """Copy `length` bytes at the same offset of both files.

        Raises:
            Permanent: `source_changed` when the source ends early.
            Retriable: `transfer_cancelled`.
            OSError: What the file systems say.
        """
        end = offset + length
        while offset < end:
            count = min(pace.block_size(), end - offset)
            pace.wait(count)
            self._block(offset, count)
            pace.moved(count)
            offset += count

    def _block(self, offset: int, count: int) -> None:
        end = offset + count
        while offset < end:
            step = (
                self._kernel_step(offset, end - offset)
                if self._in_kernel
                else self._user_step(offset, end - offset)
            )
            if step == 0:
                raise Permanent(
                    "source_changed", "the source ended early while it was copied", "Seal it again."
                )
            offset += max(0, step)

    def _kernel_step(self, offset: int, count: int) -> int:
        """Bytes copied, 0 at the end of the source, or -1 when the kernel cannot and the other way is next."""
        try:
            return os.copy_file_range(self._source, self._destination, count, offset, offset)
        except OSError as error:
            if error.errno not in _NO_KERNEL_COPY:
                raise
            self._in_kernel = False
            return -1

    def _user_step(self, offset: int, count: int) -> int:
        data = memoryview(os.pread(self._source, count, offset))
        written = 0
        while written < len(data):
            written += os.pwrite(self._destination, data[written:], offset + written)
        return written
