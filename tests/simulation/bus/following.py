"""Reading a stream, from a position on or a part of it: stands in for `libs.bus.reading` and `libs.bus.ranges`."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from libs.bus.stored import StoredMessage
from tests.simulation.active import world

RETRY_S = 1.0


async def read_batches(
    nc: Any,
    stream: str,
    *,
    start: int = 1,
    max_batch: int = 1000,
    domain: str | None = None,
) -> AsyncGenerator[list[StoredMessage], None]:
    """Everything in a stream from a sequence on, in order, in batches of any size."""
    following = start
    log = nc.server.streams[stream]
    while True:
        if log.last_sequence < following:
            arrived = asyncio.get_running_loop().create_future()
            log.readers.append(arrived)
            await arrived
        await world().trip(f"read {stream}")
        if not nc.server.up:
            await asyncio.sleep(RETRY_S)
            continue
        waiting = log.last_sequence - following + 1
        count = world().some(min(waiting, max_batch))
        batch = log.messages[following - 1 : following - 1 + count]
        following += count
        yield batch


async def read_range(
    nc: Any, stream: str, first: int, last: int
) -> AsyncGenerator[list[StoredMessage], None]:
    """Everything in a stream from one sequence to another."""
    async for batch in read_batches(nc, stream, start=first):
        yield [message for message in batch if message.sequence <= last]
        if batch[-1].sequence >= last:
            return
