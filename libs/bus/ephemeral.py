"""Consumers that the server keeps for one reader, without acknowledgements, and that another one can always follow.

A reader keeps its own position, so nothing that the server knows of it matters: whenever something is amiss (a gap in
the consumer's count, silence, a server that was restarted) a new consumer continues after the last message handed over.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from libs.bus.stored import StoredMessage, delivery_of
from libs.telemetry.logs import logger

_log = logger("reading")

NANOSECONDS = 1_000_000_000
_ANSWER_S = 5.0
_INACTIVE_S = 30.0
_RETRY_S = 0.25
_LONGEST_RETRY_S = 4.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Amiss(Exception):
    """The consumer is of no use any more; another one continues."""


class EphemeralConsumer(ABC):
    """One consumer of a stream, and what it has delivered.

    Args:
        nc: A connected client that reconnects for ever.
        stream: The stream, or a mirror of it.
        domain: JetStream domain of the stream; the client's own if left out.
    """

    def __init__(self, nc: Client, stream: str, domain: str | None) -> None:
        self._nc = nc
        self._stream = stream
        self._api = f"$JS.{domain}.API" if domain else "$JS.API"
        self._name = f"reader-{uuid4().hex}"
        self._inbox = nc.new_inbox()
        self._subscription: Subscription | None = None
        self._count = 0

    @abstractmethod
    async def create(self, start: int) -> None:
        """Have the server deliver from `start` on.

        Raises:
            nats.errors.Error: There is no server, or no answer.
            Amiss: The server refuses: the stream is not there (yet).
        """

    @abstractmethod
    async def next_batch(self) -> list[StoredMessage]:
        """The next messages, at least one; waits for it.

        Raises:
            Amiss: Nothing in order can come any more.
            TimeoutError: Likewise.
        """

    @abstractmethod
    async def _received(self, message: Msg) -> None:
        """Called for whatever the server sends."""

    async def delete(self) -> None:
        """Unsubscribe and let the server forget the consumer; it also does so by itself after a while."""
        if self._subscription is None or self._nc.is_closed:
            return
        await self._subscription.unsubscribe()
        await self._nc.publish(f"{self._api}.CONSUMER.DELETE.{self._stream}.{self._name}")

    async def _create(self, start: int, *, listen: str, **config: object) -> None:
        """Subscribe, then make the consumer; `config` is how it delivers."""
        self._subscription = await self._nc.subscribe(listen, cb=self._received)
        kept = {
            "name": self._name,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": start,
            "ack_policy": "none",
            "inactive_threshold": int(_INACTIVE_S * NANOSECONDS),
            "mem_storage": True,
            "num_replicas": 1,
        }
        request = json.dumps({"stream_name": self._stream, "config": kept | config}).encode()
        subject = f"{self._api}.CONSUMER.CREATE.{self._stream}.{self._name}"
        answer = json.loads((await self._nc.request(subject, request, timeout=_ANSWER_S)).data)
        if "error" in answer:
            raise Amiss(f"no consumer: {answer['error']}")

    def _in_order(self, message: Msg) -> StoredMessage:
        """A delivered message.

        Raises:
            Amiss: Another one should have come before it.
        """
        sequence, count, time_ns = delivery_of(message.reply)
        if count != self._count + 1:
            raise Amiss(f"message {count} came after {self._count}")
        self._count = count
        time = _EPOCH + timedelta(microseconds=time_ns // 1000)
        headers = message.headers or {}
        return StoredMessage(self._stream, sequence, message.subject, headers, message.data, time)


async def read_on(
    nc: Client, stream: str, made: Callable[[], EphemeralConsumer], start: int, last: int | None = None
) -> AsyncGenerator[list[StoredMessage], None]:
    """Everything in a stream from a sequence on, by one consumer after the other.

    Args:
        nc: The consumers' client.
        stream: Of the messages.
        made: Makes another consumer.
        start: The first sequence wanted.
        last: The last one; for ever if left out.

    Raises:
        nats.errors.Error: The client was closed.
    """
    following, pause = start, _RETRY_S
    while last is None or following <= last:
        consumer = made()
        try:
            await consumer.create(following)
            while last is None or following <= last:
                batch = await consumer.next_batch()
                following, pause = batch[-1].sequence + 1, _RETRY_S
                yield batch
        except (Amiss, nats.errors.Error, TimeoutError) as problem:
            if nc.is_closed:
                raise
            _log.info("reading again", stream=stream, start=following, reason=str(problem))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_RETRY_S)
        finally:
            await consumer.delete()
