"""Reading a stream from a position on, in order, without gaps, as fast as the client can.

For readers that keep their own position (the projector, a rebuild): nothing is acknowledged, and the server
keeps nothing that matters. An ephemeral push consumer with flow control delivers; whenever something is
amiss (a gap in the consumer's count, heartbeats that stay away, a server that was restarted) a new consumer
continues after the last message handed over.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from libs.bus.stored import StoredMessage, delivery_of
from libs.telemetry.logs import logger

__all__ = ["StoredMessage", "read_batches"]

_log = logger("reading")

HEARTBEAT_S = 1.0
_SILENCE_S = 3 * HEARTBEAT_S
_RETRY_S = 0.25
_LONGEST_RETRY_S = 4.0
_INACTIVE_S = 30.0
_REQUEST_S = 5.0
_NANOSECONDS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Amiss(Exception):
    """The consumer is of no use any more; another one continues."""


async def read_batches(
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
    following = start
    pause = _RETRY_S
    while True:
        consumer = _Consumer(nc, stream, domain, max_batch)
        try:
            await consumer.create(following)
            while True:
                batch = await consumer.next_batch()
                pause = _RETRY_S
                following = batch[-1].sequence + 1
                yield batch
        except (_Amiss, nats.errors.Error, TimeoutError) as problem:
            if nc.is_closed:
                raise
            _log.info("reading again", stream=stream, start=following, reason=str(problem))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_RETRY_S)
        finally:
            await consumer.delete()


class _Consumer:
    """One ephemeral consumer and what it has delivered."""

    def __init__(self, nc: Client, stream: str, domain: str | None, max_batch: int) -> None:
        self._nc = nc
        self._stream = stream
        self._api = f"$JS.{domain}.API" if domain else "$JS.API"
        self._name = f"reader-{uuid4().hex}"
        self._max_batch = max_batch
        self._most_waiting = 4 * max_batch
        self._waiting: list[StoredMessage] = []
        self._count = 0
        self._amiss: str | None = None
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()
        self._subscription: Subscription | None = None
        self._reconnects = nc.stats["reconnects"]
        self._last_heard = 0.0

    async def create(self, start: int) -> None:
        """Subscribe, then have the server deliver from `start` on.

        Raises:
            nats.errors.Error: There is no server, or no answer.
            _Amiss: The server refuses: the stream is not there (yet).
        """
        inbox = self._nc.new_inbox()
        self._subscription = await self._nc.subscribe(inbox, cb=self._received)
        config = {
            "name": self._name,
            "deliver_subject": inbox,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": start,
            "ack_policy": "none",
            "max_deliver": 1,
            "flow_control": True,
            "idle_heartbeat": int(HEARTBEAT_S * _NANOSECONDS),
            "inactive_threshold": int(_INACTIVE_S * _NANOSECONDS),
            "mem_storage": True,
            "num_replicas": 1,
        }
        answer = await self._request(
            f"CONSUMER.CREATE.{self._stream}.{self._name}", {"stream_name": self._stream, "config": config}
        )
        if "error" in answer:
            raise _Amiss(f"no consumer: {answer['error']}")
        self._last_heard = asyncio.get_running_loop().time()

    async def delete(self) -> None:
        """Unsubscribe and let the server forget the consumer; it also does so by itself after a while."""
        if self._subscription is None or self._nc.is_closed:
            return
        await self._subscription.unsubscribe()
        await self._nc.publish(f"{self._api}.CONSUMER.DELETE.{self._stream}.{self._name}")

    async def _request(self, verb: str, body: dict[str, object]) -> dict[str, object]:
        answer = await self._nc.request(f"{self._api}.{verb}", json.dumps(body).encode(), timeout=_REQUEST_S)
        read: dict[str, object] = json.loads(answer.data)
        return read

    async def next_batch(self) -> list[StoredMessage]:
        """What has come; waits until there is something.

        Raises:
            _Amiss: Nothing in order can come any more.
        """
        while not self._waiting:
            if self._amiss is not None:
                raise _Amiss(self._amiss)
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
                raise _Amiss("the connection was lost in between") from None
            silence = asyncio.get_running_loop().time() - self._last_heard
            if silence > _SILENCE_S:
                raise _Amiss(f"nothing was heard for {silence:.1f} s") from None

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
        sequence, count, time_ns = delivery_of(message.reply)
        if count != self._count + 1:
            self._give_up(f"message {count} came after {self._count}")
            return
        self._count = count
        stored = StoredMessage(
            self._stream,
            sequence,
            message.subject,
            message.headers or {},
            message.data,
            _EPOCH + timedelta(microseconds=time_ns // 1000),
        )
        self._waiting.append(stored)
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
            self._give_up(f"the server has delivered {told}, {self._count} came")

    def _give_up(self, reason: str) -> None:
        self._amiss = reason
        self._arrived.set()
