"""Events of the log, sent again to one service: chosen, then put where its handlers have them one at a time.

Live work goes first: what is sent again waits in ``REPLAY_<site>``, which each handler reads with a single worker of
its own. Every message has an id made of the run, the handler and its place in the log, so that a run that was
interrupted may be repeated under its name without anything being sent twice.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from contracts.subjects import replay, replay_stream
from libs.bus.connection import unavailable
from libs.bus.letter_reading import is_of_type
from libs.bus.origin import Origin, own_headers, sent_again, type_of
from libs.bus.reading import read_batches
from libs.bus.stored import StoredMessage
from libs.bus.subscription import Subscription

IN_FLIGHT = 64
"""Messages sent without their acknowledgements: live publishers have the server, too."""


@dataclass(frozen=True, slots=True)
class Bound:
    """An end of what is sent again: an instant, or a place in one stream; both included at the beginning.

    Attributes:
        when: By the time at which the stream stored an event.
        stream: The stream that `sequence` is of; no other one is read then.
    """

    when: datetime | None = None
    stream: str | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """What is looked through: from one bound to another one, the second left out if it is an instant."""

    begin: Bound
    end: Bound

    def streams(self, among: Sequence[str]) -> tuple[str, ...]:
        """The streams that are read, among those that a service hears."""
        wanted = {bound.stream for bound in (self.begin, self.end) if bound.stream is not None}
        return tuple(stream for stream in among if not wanted or wanted == {stream})

    def holds(self, message: StoredMessage) -> bool:
        """Whether a message lies within."""
        first, last = self.begin, self.end
        return (
            (first.when is None or message.time >= first.when)
            and (last.when is None or message.time < last.when)
            and (first.sequence is None or message.sequence >= first.sequence)
            and (last.sequence is None or message.sequence <= last.sequence)
        )


@dataclass(frozen=True, slots=True)
class Match:
    """Which of the events are meant: those for which all that is given holds.

    Attributes:
        type: ``package.sealed``, with or without ``chasqui.`` and version.
        entity: The id of what they are about, or the beginning of it.
        fields: Values by the path of a field, its steps joined by dots (``package.package_id``).
    """

    type: str | None = None
    entity: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)

    def holds(self, message: StoredMessage) -> bool:
        """Whether a message is one of them."""
        about = message.headers.get("ce-subject", "")
        return (
            (self.type is None or is_of_type(type_of(message.subject), self.type))
            and (self.entity is None or about.startswith(self.entity))
            and (not self.fields or self._fields_hold(message.data))
        )

    def _fields_hold(self, data: bytes) -> bool:
        try:
            body = json.loads(data)
        except ValueError:
            return False
        return all(_at(body, path) == value for path, value in self.fields.items())


@dataclass(frozen=True, slots=True)
class Again:
    """A message, and the handler that is to have it again."""

    subscription: Subscription
    message: StoredMessage


async def chosen(
    client: Client, sources: Mapping[str, Sequence[Subscription]], span: Span, match: Match
) -> AsyncIterator[Again]:
    """Everything that is meant, stream by stream, in order, up to what is in the log now.

    Args:
        client: Connected to the site's server.
        sources: The subscriptions that hear each stream.
        span: What is looked through.
        match: What is meant of it.

    Raises:
        Retriable: ``bus_unavailable``.
    """
    js = client.jetstream(timeout=10)
    for stream in span.streams(tuple(sources)):
        first, last = await _range(client, js, stream, span)
        if first > last:
            continue
        async with aclosing(read_batches(client, stream, start=first)) as batches:
            async for batch in batches:
                for message in batch:
                    if message.sequence <= last and span.holds(message) and match.holds(message):
                        for subscription in sources[stream]:
                            if _hears(subscription, message.subject):
                                yield Again(subscription, message)
                if batch[-1].sequence >= last:
                    break


class Sender:
    """Sends events again.

    Args:
        client: Connected to the site's server.
        site: The site of the handlers.
        by: Who has them sent.
        run: The name of this run.
    """

    def __init__(self, client: Client, *, site: str, by: str, run: str) -> None:
        self._client = client
        self._js = client.jetstream(timeout=10)
        self._site = site
        self._by = by
        self._run = run

    async def send(self, batch: Sequence[Again]) -> int:
        """Store these for their handlers; return how many were not sent in this run before.

        Raises:
            Retriable: ``bus_unavailable``: repeat the run under its name.
        """
        window = asyncio.Semaphore(IN_FLIGHT)

        async def one(again: Again) -> bool:
            async with window:
                return await self._one(again)

        try:
            return sum(await asyncio.gather(*(one(again) for again in batch)))
        except (NatsError, OSError, TimeoutError) as error:
            raise unavailable(str(self._client.connected_url), error) from error

    async def _one(self, again: Again) -> bool:
        subscription, message = again.subscription, again.message
        origin = Origin(
            message.subject, own_headers(message.headers), message.data, message.stream, message.sequence
        )
        name = f"replay:{self._run}:{subscription.service}.{subscription.handler}:{origin.place()}"
        headers, data = sent_again(origin, by=self._by, message_id=name, most=self._client.max_payload)
        subject = replay(self._site, subscription.service, subscription.handler)
        ack = await self._js.publish(subject, data, stream=replay_stream(self._site), headers=headers)
        return not ack.duplicate


async def _range(client: Client, js: JetStreamContext, stream: str, span: Span) -> tuple[int, int]:
    """The first sequence to read, and the last one."""
    try:
        state = (await js.stream_info(stream)).state
        first = span.begin.sequence or 1
        if span.begin.when is not None:
            first = await _sequence_at(js, stream, span.begin.when, int(state.last_seq))
        last = min(int(state.last_seq), span.end.sequence or int(state.last_seq))
        if span.end.when is not None:
            last = min(last, await _sequence_at(js, stream, span.end.when, int(state.last_seq)) - 1)
    except (NatsError, OSError, TimeoutError) as error:
        raise unavailable(str(client.connected_url), error) from error
    return first, last


async def _sequence_at(js: JetStreamContext, stream: str, when: datetime, last: int) -> int:
    """The first sequence that was stored at an instant or later; one after the last if none was."""
    low, high = 1, last + 1
    while low < high:
        middle = (low + high) // 2
        stored = (await js.get_msg(stream, seq=middle, direct=True)).time
        if stored is not None and stored < when:
            low = middle + 1
        else:
            high = middle
    return low


def _hears(subscription: Subscription, subject: str) -> bool:
    return any(is_of_type(type_of(subject), f"{one.entity}.{one.fact}") for one in subscription.events)


def _at(body: object, path: str) -> str | None:
    found = body
    for step in path.split("."):
        if not isinstance(found, dict) or step not in found:
            return None
        found = found[step]
    return found if isinstance(found, str) else json.dumps(found)
