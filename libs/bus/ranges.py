"""Reading a part of a stream whose end is known: in order, without gaps, and no more than is asked for.

For those who share a long stream between them, each reading some parts. An ephemeral pull consumer delivers.
"""

import asyncio
import json
from collections.abc import AsyncGenerator

from nats.aio.client import Client
from nats.aio.msg import Msg

from libs.bus.ephemeral import NANOSECONDS, Amiss, EphemeralConsumer, read_on
from libs.bus.stored import StoredMessage

MOST_BYTES = 16 << 20
"""What the server sends at once at most, whatever was asked for."""

_PULL_S = 5.0


async def read_range(
    nc: Client, stream: str, first: int, last: int, *, max_batch: int = 1000, domain: str | None = None
) -> AsyncGenerator[list[StoredMessage], None]:
    """Everything in a stream from one sequence to another, both included.

    Args:
        nc: A connected client that reconnects for ever.
        stream: The stream, or a mirror of it.
        first: The first sequence wanted.
        last: The last one; waited for if the stream does not have it yet.
        max_batch: How many messages to hand over at once at most.
        domain: JetStream domain of the stream; the client's own if left out.

    Raises:
        nats.errors.Error: The client was closed.
    """
    batches = read_on(nc, stream, lambda: _Pulling(nc, stream, domain, last, max_batch), first, last)
    try:
        async for batch in batches:
            # Where messages are missing, others from beyond the end come in their place.
            yield [message for message in batch if message.sequence <= last]
    finally:
        await batches.aclose()


class _Pulling(EphemeralConsumer):
    """A consumer that delivers what it is asked for, once it is asked."""

    def __init__(self, nc: Client, stream: str, domain: str | None, last: int, max_batch: int) -> None:
        super().__init__(nc, stream, domain)
        self._following = 0
        self._last = last
        self._max_batch = max_batch
        self._pulls = 0
        self._wanted = 0
        self._batch: list[StoredMessage] = []
        self._pulled: asyncio.Future[str] | None = None

    async def create(self, start: int) -> None:
        """Have the server keep a place from `start` on."""
        self._following = start
        await self._create(start, listen=f"{self._inbox}.*")

    async def next_batch(self) -> list[StoredMessage]:
        """Ask for the next messages."""
        most = min(self._max_batch, self._last - self._following + 1)
        self._pulls += 1
        self._wanted, self._batch = most, []
        self._pulled = asyncio.get_running_loop().create_future()
        request = {"batch": most, "max_bytes": MOST_BYTES, "expires": int(_PULL_S * NANOSECONDS)}
        subject = f"{self._api}.CONSUMER.MSG.NEXT.{self._stream}.{self._name}"
        await self._nc.publish(subject, json.dumps(request).encode(), reply=f"{self._inbox}.{self._pulls}")
        async with asyncio.timeout(4 * _PULL_S):
            ended = await self._pulled
        if not self._batch:
            raise Amiss(f"nothing came: {ended}")
        self._following = self._batch[-1].sequence + 1
        return self._batch

    async def _received(self, message: Msg) -> None:
        if message.reply.startswith("$JS.ACK."):
            self._take(message)
        elif message.subject.endswith(f".{self._pulls}"):
            # The server ends a pull so that brings less than was asked for. It may also tell that one is complete,
            # when the next one has begun.
            headers = message.headers or {}
            self._end(f"{headers.get('Status', '')} {headers.get('Description', '')}")

    def _take(self, message: Msg) -> None:
        try:
            self._batch.append(self._in_order(message))
        except Amiss as amiss:
            self._batch = []
            self._end(str(amiss))
            return
        if len(self._batch) == self._wanted:
            self._end("complete")

    def _end(self, why: str) -> None:
        if self._pulled is not None and not self._pulled.done():
            self._pulled.set_result(why)
