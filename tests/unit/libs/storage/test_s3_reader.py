import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from libs.errors import Retriable
from libs.storage.s3_download import READ_SIZE, ObjectStream
from libs.storage.s3_reader import READ_AHEAD, reading


class Blocks(ObjectStream):
    """A stream whose blocks are given."""

    def __init__(self, blocks: list[bytes], error: Exception | None = None) -> None:
        self.blocks = blocks
        self.error = error
        self.given = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for block in self.blocks:
            await asyncio.sleep(0)
            self.given += len(block)
            yield block
        if self.error is not None:
            raise self.error


async def test_reads_like_a_file() -> None:
    data = [bytes([index]) * 100_000 for index in range(40)]
    async with reading(Blocks(data)) as file:
        first = await asyncio.to_thread(file.read, 150_000)
        rest = await asyncio.to_thread(file.read)
        assert await asyncio.to_thread(file.read, 1) == b""
    assert first + rest == b"".join(data)


async def test_empty_object() -> None:
    async with reading(Blocks([])) as file:
        assert await asyncio.to_thread(file.read) == b""


async def test_never_far_ahead_of_its_reader() -> None:
    stream = Blocks([bytes(READ_SIZE)] * 100)
    async with reading(stream) as file:
        await asyncio.sleep(0.05)
        assert stream.given <= (READ_AHEAD + 2) * READ_SIZE
        assert len(await asyncio.to_thread(file.read)) == 100 * READ_SIZE


async def test_the_reading_thread_sees_the_error() -> None:
    async with reading(Blocks([bytes(READ_SIZE)], Retriable("s3_unreachable", "gone", "wait"))) as file:
        assert await asyncio.to_thread(file.read, READ_SIZE) == bytes(READ_SIZE)
        with pytest.raises(Retriable):
            await asyncio.to_thread(file.read, 1)


async def test_a_reader_left_behind_is_woken() -> None:
    woken = threading.Event()

    class Endless(Blocks):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            await asyncio.Event().wait()
            yield b""

    async with reading(Endless([])) as file:

        def read() -> None:
            with pytest.raises(OSError, match="closed while it was read"):
                file.read(1)
            woken.set()

        thread = threading.Thread(target=read)
        thread.start()
        await asyncio.sleep(0.05)
        assert not woken.is_set()
    await asyncio.to_thread(thread.join, 5)
    assert woken.is_set()
