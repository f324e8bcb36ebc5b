"""How often a message was tried: JetStream counts deliveries, and not every delivery is an attempt.

What is subtracted stands in a key-value bucket, written only when there is something to subtract. If the bucket is
lost, postponements count as attempts, and a message may become a dead letter too early: told, kept, and sent again.
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


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often a message was delivered, and how many of these deliveries do not count.

    Attributes:
        delivered: Deliveries, this one included.
        postponed: How many of them ended before anything was tried.
    """

    delivered: int
    postponed: int = 0

    @property
    def counted(self) -> int:
        """Which attempt this delivery is, from 1."""
        return max(1, self.delivered - min(self.postponed, MOST_POSTPONEMENTS))


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
        return Attempts(delivered, int(entry.value or b"0"))

    async def postpone(self, raw: Msg, attempts: Attempts) -> None:
        """Note that this delivery does not count; if that fails, it does."""
        with _told("not_noted"):
            await (await self._open()).put(_key(raw), str(attempts.postponed + 1).encode())

    async def forget(self, raw: Msg, attempts: Attempts) -> None:
        """The message is settled; what cannot be deleted now expires."""
        if attempts.postponed:
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
