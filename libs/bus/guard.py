"""Deciding on the newest state: a decision is stored only if no other one was stored while it was made.

How a decision is guarded, in this order, for a fact that must not be decided twice:
1. `Guard.last_sequence`: the newest event of its kind.
2. Wait until ops-db has applied that event, then read the state and decide. Whatever is read later is newer.
3. `Guard.publish` each event of the decision after the one before it; a SequenceConflict means: from 1 again.
"""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TypeVar

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from contracts.base import Event
from contracts.subjects import events_stream
from libs.bus.connection import unavailable
from libs.bus.publishing import EventPublisher, SequenceConflict
from libs.telemetry.logs import logger

DECISIONS = 8
API_TIMEOUT_S = 10.0

T = TypeVar("T")


class Covers(Enum):
    """What a guard holds together."""

    FACT = "fact"
    """Events of one kind: others say nothing that the decision depends on."""
    ENTITY = "entity"
    """Everything that is said of such things: the decision depends on all of it."""


class Guard:
    """All events of one kind (or entity) at one site, as something that only one may add to at a time.

    Args:
        client: A connected NATS client.
        publisher: Of whoever decides.
        site: The site.
        event: The kind; any of the entity's.
        covers: Whether the kind alone, or all that is said of its entity.
    """

    def __init__(
        self,
        client: Client,
        publisher: EventPublisher,
        *,
        site: str,
        event: type[Event],
        covers: Covers = Covers.FACT,
    ) -> None:
        self._client = client
        self._publisher = publisher
        self._stream = events_stream(site)
        kind = f"{event.entity}.{event.fact}" if covers is Covers.FACT else event.entity
        self.subjects = f"chasqui.{site}.{kind}.>"

    async def last_sequence(self) -> int:
        """The stream sequence of the newest event of the kind; 0 if there is none.

        Raises:
            Retriable: ``bus_unavailable``.
        """
        try:
            newest = await self._client.jetstream(timeout=API_TIMEOUT_S).get_last_msg(
                self._stream, self.subjects
            )
        except NotFoundError:
            return 0
        except (NatsError, OSError, TimeoutError) as error:
            raise unavailable(str(self._client.connected_url), error) from error
        return newest.seq or 0

    async def publish(self, event: Event, *, after: int, causation_id: str | None) -> int:
        """Store an event of the kind if the newest one still is that at sequence `after`.

        Returns:
            Its sequence.

        Raises:
            SequenceConflict: Another one was stored since, or this very one was stored before.
            Retriable: ``bus_unavailable``.
        """
        return await self._publisher.publish_guarded(
            event, guarded=self.subjects, last_sequence=after, causation_id=causation_id
        )


async def until_undisputed(decide: Callable[[], Awaitable[T]], attempts: int = DECISIONS) -> T:
    """Decide, and decide again whenever somebody else was faster.

    Raises:
        SequenceConflict: Somebody else was faster every time.
    """
    for attempt in range(1, attempts):
        try:
            return await decide()
        except SequenceConflict as conflict:
            logger("bus").info("decided_again", attempt=attempt, reason=conflict.problem.reason)
    return await decide()
