"""An object as a file that a worker thread reads, filled by the event loop, with bounded memory."""

import asyncio
import io
import queue
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from libs.ending import end
from libs.storage.s3_download import READ_SIZE, ObjectStream, batches

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READ_AHEAD = 8
"""Batches of about 1 MiB that wait for the reading thread."""


class _End:
    """The stream is over: well, or by an error that the reading thread shall see."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class StreamFile(io.RawIOBase):
    """The reading thread's side: sequential, blocking, read once.

    Errors of the stream (`Retriable`, ...) are raised by the read that meets them.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, slots: asyncio.Semaphore) -> None:
        self._incoming: queue.SimpleQueue[list[bytes] | _End] = queue.SimpleQueue()
        self._loop = loop
        self._slots = slots
        self._batch: list[bytes] = []
        self._block = memoryview(b"")
        self._end: _End | None = None

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill the start of `buffer`, waiting for bytes; 0 at the end of the object."""
        if not self._block and not self._next_block():
            return 0
        with memoryview(buffer).cast("B") as target:
            count = min(len(target), len(self._block))
            target[:count] = self._block[:count]
        self._block = self._block[count:]
        return count

    def feed(self, item: list[bytes] | _End) -> None:
        """The event loop's side: hand over a batch or the end."""
        self._incoming.put(item)

    def _next_block(self) -> bool:
        while not self._batch:
            if self._end is None:
                self._receive()
            if self._end is not None:
                if self._end.error is not None:
                    raise self._end.error
                return False
        self._block = memoryview(self._batch.pop())
        return True

    def _receive(self) -> None:
        item = self._incoming.get()
        if isinstance(item, _End):
            self._end = item
            return
        self._batch = item[::-1]
        with suppress(
            RuntimeError
        ):  # the loop is closed: nobody fills any more, what is queued is still read
            self._loop.call_soon_threadsafe(self._slots.release)


@asynccontextmanager
async def reading(stream: ObjectStream) -> AsyncIterator[io.BufferedReader]:
    """Give a stream the face of a blocking binary file, for one worker thread.

    Leaving the block ends the file: a thread that still reads gets an `OSError`.
    """
    slots = asyncio.Semaphore(READ_AHEAD)
    raw = StreamFile(asyncio.get_running_loop(), slots)
    filling = asyncio.create_task(_fill(stream, raw, slots))
    try:
        yield io.BufferedReader(raw, READ_SIZE)
    finally:
        await end(filling)
        raw.feed(_End(OSError("the stream was closed while it was read")))


async def _fill(stream: ObjectStream, raw: StreamFile, slots: asyncio.Semaphore) -> None:
    try:
        async for batch in batches(stream):
            await slots.acquire()
            raw.feed(batch)
    except Exception as error:  # noqa: BLE001 - not swallowed: the reading thread raises it
        raw.feed(_End(error))
    else:
        raw.feed(_End())
