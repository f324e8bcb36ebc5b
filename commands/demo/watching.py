"""Following the streams of every site into the tracker, live."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from nats.aio.client import Client

from commands.demo.tracking import Tracker
from contracts.registry import REGISTRY, UnreadableEvent
from contracts.subjects import events_stream
from libs.bus.connection import connect
from libs.bus.reading import read_batches
from libs.ending import end
from libs.errors import Retriable
from libs.service.service import Place

STALLED_AFTER_S = 120.0


class Watch:
    """Wakes those who wait for the tracker to come to something."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self._changed = asyncio.Event()
        self._last_event = time.monotonic()

    async def follow(self, client: Client, stream: str) -> None:
        """Take in a stream, from its first event, for ever."""
        async for batch in read_batches(client, stream):
            for message in batch:
                try:
                    kind = "chasqui." + message.subject.split(".", 2)[2]
                    self.tracker.see(REGISTRY.read(kind, message.data))
                except UnreadableEvent:
                    continue  # the projector buries it; the demo counts dead letters at the end
            self._last_event = time.monotonic()
            self._changed.set()

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until the tracker satisfies a condition.

        Raises:
            Retriable: ``demo_stalled``: nothing at all happened for two minutes.
        """
        self._last_event = time.monotonic()
        while not condition():
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), 1.0)
            except TimeoutError:
                if time.monotonic() - self._last_event > STALLED_AFTER_S:
                    raise Retriable(
                        "demo_stalled",
                        f"nothing happened for {STALLED_AFTER_S:.0f} s while waiting for {what}",
                        "Look at the logs in the work directory, or run it with --keep and ask chasqui status.",
                    ) from None


@asynccontextmanager
async def watching(place: Place, tracker: Tracker) -> AsyncIterator[Watch]:
    """Follow all streams that can be read at a site, its own and its mirrors, while the block lasts."""
    client = await connect(place.bus_address(), name="demo")
    watch = Watch(tracker)
    tasks = [
        asyncio.create_task(watch.follow(client, events_stream(site))) for site in place.deployment.sites
    ]
    try:
        yield watch
    finally:
        await end(*tasks)
        await client.close()
