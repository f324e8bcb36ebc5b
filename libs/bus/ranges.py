"""Reading a part of a stream whose end is known: in order, without gaps, and no more than is asked for.

For those who share a long stream between them, each reading some parts. An ephemeral pull consumer delivers; whenever
something is amiss, another one continues after the last message handed over (as in `libs.bus.reading`).
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

_log = logger("reading")

MOST_BYTES = 16 << 20
"""What the server sends at once at most, whatever was asked for."""

_ANSWER_S = 5.0
_INACTIVE_S = 30.0
_RETRY_S = 0.25
_LONGEST_RETRY_S = 4.0
_NANOSECONDS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Amiss(Exception):
    """The consumer is of no use any more; another one continues."""


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
    following = first
    pause = _RETRY_S
    while following <= last:
        consumer = _Consumer(nc, stream, domain)
        try:
            await consumer.create(following)
            while following <= last:
                batch = await consumer.pull(min(max_batch, last - following + 1))
                following = batch[-1].sequence + 1
                pause = _RETRY_S
                # Where messages are missing, others from beyond the end come in their place.
                yield [message for message in batch if message.sequence <= last]
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

    def __init__(self, nc: Client, stream: str, domain: str | None) -> None:
        self._nc = nc
        self._stream = stream
        self._api = f"$JS.{domain}.API" if domain else "$JS.API"
        self._name = f"range-{uuid4().hex}"
        self._inbox = nc.new_inbox()
        self._subscription: Subscription | None = None
        self._count = 0
        self._pulls = 0
        self._wanted = 0
        self._batch: list[StoredMessage] = []
        self._pulled: asyncio.Future[str] | None = None

    async def create(self, start: int) -> None:
        """Have the server keep a place from `start` on.

        Raises:
            nats.errors.Error: There is no server, or no answer.
            _Amiss: The server refuses.
        """
        self._subscription = await self._nc.subscribe(f"{self._inbox}.*", cb=self._received)
        config = {
            "name": self._name,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": start,
            "ack_policy": "none",
            "inactive_threshold": int(_INACTIVE_S * _NANOSECONDS),
            "mem_storage": True,
            "num_replicas": 1,
        }
        request = json.dumps({"stream_name": self._stream, "config": config}).encode()
        subject = f"{self._api}.CONSUMER.CREATE.{self._stream}.{self._name}"
        answer = json.loads((await self._nc.request(subject, request, timeout=_ANSWER_S)).data)
        if "error" in answer:
            raise _Amiss(f"no consumer: {answer['error']}")

    async def pull(self, most: int) -> list[StoredMessage]:
        """The next messages, at least one.

        Raises:
            _Amiss: None came, or not all that were sent.
            TimeoutError: Likewise.
        """
        self._pulls += 1
        self._wanted, self._batch = most, []
        self._pulled = asyncio.get_running_loop().create_future()
        request = {"batch": most, "max_bytes": MOST_BYTES, "expires": int(_ANSWER_S * _NANOSECONDS)}
        subject = f"{self._api}.CONSUMER.MSG.NEXT.{self._stream}.{self._name}"
        await self._nc.publish(subject, json.dumps(request).encode(), reply=f"{self._inbox}.{self._pulls}")
        async with asyncio.timeout(4 * _ANSWER_S):
            ended = await self._pulled
        if not self._batch:
            raise _Amiss(f"nothing came: {ended}")
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
        sequence, count, time_ns = delivery_of(message.reply)
        self._count += 1
        if count != self._count:
            self._batch = []
            self._end(f"message {count} came after {self._count - 1}")
            return
        time = _EPOCH + timedelta(microseconds=time_ns // 1000)
        self._batch.append(
            StoredMessage(self._stream, sequence, message.subject, message.headers or {}, message.data, time)
        )
        if len(self._batch) == self._wanted:
            self._end("complete")

    def _end(self, why: str) -> None:
        if self._pulled is not None and not self._pulled.done():
            self._pulled.set_result(why)

    async def delete(self) -> None:
        """Unsubscribe and let the server forget the consumer; it also does so by itself after a while."""
        if self._subscription is None or self._nc.is_closed:
            return
        await self._subscription.unsubscribe()
        await self._nc.publish(f"{self._api}.CONSUMER.DELETE.{self._stream}.{self._name}")
