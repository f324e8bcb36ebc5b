"""Reading a stream from a position on, in order, without gaps, as fast as the client can.

For readers that keep their own position (the projector, a rebuild). An ephemeral push consumer with flow control
delivers; heartbeats tell whether it still does.
"""

import asyncio
from collections.abc import AsyncGenerator

from nats.aio.client import Client
from nats.aio.msg import Msg

from libs.bus.ephemeral import NANOSECONDS, Amiss, EphemeralConsumer, read_on
from libs.bus.stored import StoredMessage

__all__ = ["StoredMessage", "read_batches"]

HEARTBEAT_S = 1.0
_SILENCE_S = 3 * HEARTBEAT_S


def read_batches(
    nc: Client,
    stream: str,
    *,
    start: int = 1,
    max_batch: int = 1000,
    domain: str | None = None,
) -> AsyncGenerator[list[StoredMessage], None]:
    """Everything in a stream from a sequence on, and everything that comes, for ever.

    A batch is handed over as soon as there is one message, and has no more than `max_batch`. What the reader
    does not take is not fetched: at most four batches wait in memory, and what the server sends ahead (32 MB).

    Args:
        nc: A connected client that reconnects for ever.
        stream: The stream, or a mirror of it.
        start: The first sequence wanted.
        max_batch: How many messages to hand over at once at most.
        domain: JetStream domain of the stream; the client's own if left out.

    Raises:
        nats.errors.Error: The client was closed.
    """
    return read_on(nc, stream, lambda: _Pushed(nc, stream, domain, max_batch), start)


class _Pushed(EphemeralConsumer):
    """A consumer that delivers as fast as it is heard."""

    def __init__(self, nc: Client, stream: str, domain: str | None, max_batch: int) -> None:
        super().__init__(nc, stream, domain)
        self._max_batch = max_batch
        self._most_waiting = 4 * max_batch
        self._waiting: list[StoredMessage] = []
        self._amiss: Amiss | None = None
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()
        self._reconnects = nc.stats["reconnects"]
        self._last_heard = 0.0

    async def create(self, start: int) -> None:
        """Have the server send from `start` on."""
        await self._create(
            start,
            listen=self._inbox,
            deliver_subject=self._inbox,
            max_deliver=1,
            flow_control=True,
            idle_heartbeat=int(HEARTBEAT_S * NANOSECONDS),
        )
        self._last_heard = asyncio.get_running_loop().time()

    async def next_batch(self) -> list[StoredMessage]:
        """What has come."""
        while not self._waiting:
            if self._amiss is not None:
                raise self._amiss
            await self._something()
        batch = self._waiting[: self._max_batch]
        del self._waiting[: self._max_batch]
        self._taken.set()
        return batch

    async def _something(self) -> None:
        self._arrived.clear()
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                await self._arrived.wait()
        except TimeoutError:
            if self._nc.stats["reconnects"] != self._reconnects:
                raise Amiss("the connection was lost in between") from None
            silence = asyncio.get_running_loop().time() - self._last_heard
            if silence > _SILENCE_S:
                raise Amiss(f"nothing was heard for {silence:.1f} s") from None

    async def _received(self, message: Msg) -> None:
        self._last_heard = asyncio.get_running_loop().time()
        if message.reply.startswith("$JS.ACK."):
            self._take(message)
            if len(self._waiting) >= self._most_waiting:
                await self._until_taken()
        else:
            await self._control(message)

    def _take(self, message: Msg) -> None:
        if self._amiss is not None:
            return
        try:
            self._waiting.append(self._in_order(message))
        except Amiss as amiss:
            self._amiss = amiss
        self._arrived.set()

    async def _until_taken(self) -> None:
        # Holding up the callback holds up the answer to the server's flow control, and so the server.
        while len(self._waiting) >= self._most_waiting:
            self._taken.clear()
            await self._taken.wait()
        self._last_heard = asyncio.get_running_loop().time()

    async def _control(self, message: Msg) -> None:
        """Answer flow control; compare a heartbeat's count with what came."""
        headers = message.headers or {}
        stalled = headers.get("Nats-Consumer-Stalled")
        if message.reply or stalled:
            await self._nc.publish(message.reply or str(stalled))
        told = headers.get("Nats-Last-Consumer")
        if told is not None and int(told) != self._count:
            self._amiss = Amiss(f"the server has delivered {told}, {self._count} came")
            self._arrived.set()
