"""A long piece of blocking work beside the event loop: stopped with its handler, its progress told."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from nats.aio.client import Client

from libs.bus.buckets import put_progress
from libs.bus.repeating import repeating

TELL_EVERY_S = 1.0

T = TypeVar("T")


class Meter:
    """How many bytes are done; written by the working thread, read by the event loop."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, done: int) -> None:
        """So many bytes are done, in all."""
        self.done = done


async def in_thread(work: Callable[[threading.Event], T]) -> T:
    """Run blocking work in a thread; if the caller is cancelled, tell it to stop, and wait until it has.

    Args:
        work: Is given the signal at which it must stop soon.
    """
    stop = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
        raise


@asynccontextmanager
async def told(
    client: Client, site: str, key: str, facts: Mapping[str, Any], every_s: float = TELL_EVERY_S
) -> AsyncIterator[Meter]:
    """Put the meter's reading into the site's progress bucket now and then, and once more at the end.

    Args:
        client: A connected NATS client.
        site: The site.
        key: Of the piece of work.
        facts: Told with every reading.
        every_s: Seconds between two readings.
    """
    meter = Meter()

    async def tell() -> None:
        await put_progress(client, site, key, {**facts, "done": meter.done})

    try:
        async with repeating(tell, every_s):
            yield meter
    finally:
        await put_progress(client, site, key, {**facts, "done": meter.done, "ended": True})
