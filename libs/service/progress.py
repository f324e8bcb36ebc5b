"""Telling how far a piece of work with several parts is, while it is done."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from nats.aio.client import Client

from libs.bus.buckets import put_progress

TELL_EVERY_S = 1.0


class Tally:
    """How many bytes of each part are done; written by working threads, read by the event loop."""

    def __init__(self) -> None:
        self._parts: dict[str, int] = {}

    @property
    def done(self) -> int:
        """Bytes of all parts."""
        return sum(tuple(self._parts.values()))

    def part(self, name: str) -> Callable[[int], None]:
        """What hears how many bytes of one part are done, in all."""
        return partial(self._parts.__setitem__, name)


@asynccontextmanager
async def tallied(
    client: Client, site: str, key: str, facts: Mapping[str, Any], every_s: float = TELL_EVERY_S
) -> AsyncIterator[Tally]:
    """Put the tally into the site's progress bucket now and then, and once more at the end.

    Args:
        client: A connected NATS client.
        site: The site.
        key: Of the piece of work.
        facts: Told with every reading.
        every_s: Seconds between two readings.
    """
    tally = Tally()

    async def tell() -> None:
        while True:
            await put_progress(client, site, key, {**facts, "done": tally.done})
            await asyncio.sleep(every_s)

    task = asyncio.create_task(tell())
    try:
        yield tally
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await put_progress(client, site, key, {**facts, "done": tally.done, "ended": True})
