"""How often a message was tried: JetStream counts deliveries, and not every delivery is an attempt.

How deliveries ended stands in a key-value bucket, written when one ends without the message being settled:
- A postponed delivery is no attempt.
- A delivery that ended without a word was the end of its process, or of its claim. A message that does that to every
  process is given up early, whatever its subscription's patience with failures: each time it takes others with it.
If the bucket is lost, messages that were waiting become dead letters too early: told, kept, and to be sent again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import BucketNotFoundError, KeyNotFoundError
from nats.js.kv import KeyValue

from contracts.subjects import attempts_bucket
from libs.telemetry.logs import logger

MOST_POSTPONEMENTS = 100_000
"""Those beyond it count as attempts: nothing is put off for ever. At half a minute each, five weeks."""
MOST_DEATHS = 20
"""Deliveries that may end without a word."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often a message was delivered, and how these deliveries ended.

    Attributes:
        delivered: Deliveries, this one included.
        postponed: How many of them ended before anything was tried.
        failed: How many ended with a failure that may pass.
    """

    delivered: int
    postponed: int = 0
    failed: int = 0

    @property
    def counted(self) -> int:
        """Which attempt this delivery is, from 1."""
        return max(1, self.delivered - min(self.postponed, MOST_POSTPONEMENTS))

    @property
    def deaths(self) -> int:
        """How many earlier deliveries ended without a word."""
        return max(0, self.delivered - 1 - self.postponed - self.failed)


class AttemptsBook:
    """The site's bucket of deliveries that do not count.

    Args:
        client: A connected NATS client.
        site: The site of the consumers.
    """

    def __init__(self, client: Client, *, site: str) -> None:
        self._js = client.jetstream(timeout=5)
        self._name = attempts_bucket(site)
        self._bucket: KeyValue | None = None

    async def of(self, raw: Msg) -> Attempts:
        """What is known of a delivered message; nothing is asked about the first delivery.

        Raises:
            nats.errors.Error, TimeoutError, OSError: The server is away.
        """
        delivered = raw.metadata.num_delivered
        if delivered == 1:
            return Attempts(1)
        try:
            entry = await (await self._open()).get(_key(raw))
        except (KeyNotFoundError, BucketNotFoundError):
            return Attempts(delivered)
        postponed, _, failed = (entry.value or b"").decode().partition(" ")
        return Attempts(delivered, int(postponed or 0), int(failed or 0))

    async def postponed(self, raw: Msg, attempts: Attempts) -> None:
        """Note that this delivery is no attempt; if that fails, it is one."""
        await self._note(raw, attempts.postponed + 1, attempts.failed)

    async def failed(self, raw: Msg, attempts: Attempts) -> None:
        """Note that this delivery did not end without a word."""
        await self._note(raw, attempts.postponed, attempts.failed + 1)

    async def _note(self, raw: Msg, postponed: int, failed: int) -> None:
        with _told("not_noted"):
            await (await self._open()).put(_key(raw), f"{postponed} {failed}".encode())

    async def forget(self, raw: Msg, attempts: Attempts) -> None:
        """The message is settled; what cannot be deleted now expires."""
        if attempts.delivered > 1:
            with _told("not_forgotten"):
                await (await self._open()).delete(_key(raw))

    async def _open(self) -> KeyValue:
        if self._bucket is None:
            self._bucket = await self._js.key_value(self._name)
        return self._bucket


def _key(raw: Msg) -> str:
    position = raw.metadata
    return f"{position.consumer}.{position.stream}.{position.sequence.stream}"


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except (NatsError, OSError, TimeoutError) as error:
        logger("bus").warning(what, error=repr(error))
