"""What waits in front of each handler of a site, and how far ops-db follows each stream."""

from datetime import UTC, datetime

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo
from nats.js.errors import NotFoundError

from contracts.base import Message
from contracts.subjects import dead_stream, events_stream, replay_stream
from libs.bus.connection import unavailable
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place

API_TIMEOUT_S = 5.0


class Queue(Message):
    """One handler's consumer: what it has not begun, and what it has in hand.

    Attributes:
        origin: The site whose events it hears.
        redelivered: How many of those in hand came more than once.
        oldest_s: Seconds since the oldest of them all was stored; None if nothing waits.
    """

    service: str
    handler: str
    origin: str
    waiting: int
    in_hand: int
    redelivered: int
    oldest_s: float | None = None


class Projection(Message):
    """How far ops-db follows a stream.

    Attributes:
        stored: The last sequence of the stream.
        applied: The last sequence whose effect ops-db has.
        behind: Events stored but not applied.
        behind_s: Seconds since the first of those was stored; None if there is none.
    """

    stream: str
    stored: int
    applied: int
    behind: int
    behind_s: float | None


class Waiting(Message):
    """Everything that waits at a site; `streams` are those that can be read there."""

    queues: tuple[Queue, ...]
    projections: tuple[Projection, ...]
    dead_letters: int


async def what_waits(place: Place, client: Client, opsdb: OpsDbReader) -> Waiting:
    """Ask the site's server and its ops-db.

    Raises:
        Retriable: ``bus_unavailable`` or ``opsdb_unavailable``.
    """
    projections = await projections_of(place, client, opsdb)
    queues = await queues_of(place, client)
    js = client.jetstream(timeout=API_TIMEOUT_S)
    try:
        letters = (await js.stream_info(dead_stream(place.site))).state.messages
    except (NatsError, OSError, TimeoutError) as error:
        raise unavailable(place.settings.nats.url, error) from error
    return Waiting(queues=queues, projections=projections, dead_letters=letters)


async def queues_of(place: Place, client: Client) -> tuple[Queue, ...]:
    """Every handler's queue at a site, by service, handler and origin.

    Raises:
        Retriable: ``bus_unavailable``.
    """
    js = client.jetstream(timeout=API_TIMEOUT_S)
    found = []
    try:
        for stream in (*place.streams, replay_stream(place.site)):
            for info in await _consumers(js, stream):
                queue = queue_of(info, place.site, stream)
                # Every handler has a queue of replays; who looks wants to see those in which something waits.
                if queue is not None and (stream in place.streams or queue.waiting or queue.in_hand):
                    oldest_s = await _oldest_s(js, stream, info) if queue.waiting or queue.in_hand else None
                    found.append(queue.model_copy(update={"oldest_s": oldest_s}))
    except (NatsError, OSError, TimeoutError) as error:
        raise unavailable(place.settings.nats.url, error) from error
    return tuple(sorted(found, key=lambda queue: (queue.service, queue.handler, queue.origin)))


async def _consumers(js: JetStreamContext, stream: str) -> list[ConsumerInfo]:
    """None while the stream (a mirror of a site that was never reached) is not there."""
    try:
        return await js.consumers_info(stream)
    except NotFoundError:
        return []


async def _oldest_s(js: JetStreamContext, stream: str, info: ConsumerInfo) -> float | None:
    """Age of the first message that a consumer hears and has not settled.

    All up to its acknowledgement floor are settled, so the next one that its filters match is the oldest.
    """
    floor = info.ack_floor.stream_seq if info.ack_floor else 0
    filters = info.config.filter_subjects or [info.config.filter_subject or ">"]
    ages = [await _next_age_s(js, stream, floor + 1, subject) for subject in filters]
    return max((age for age in ages if age is not None), default=None)


async def _next_age_s(js: JetStreamContext, stream: str, sequence: int, subject: str) -> float | None:
    try:
        found = await js.get_msg(stream, sequence, subject=subject, next=True)
    except NotFoundError:
        return None
    return None if found.time is None else max(0.0, (datetime.now(UTC) - found.time).total_seconds())


async def projections_of(place: Place, client: Client, opsdb: OpsDbReader) -> tuple[Projection, ...]:
    """How far ops-db follows each stream that can be read at a site.

    Raises:
        Retriable: ``bus_unavailable`` or ``opsdb_unavailable``.
    """
    # ops-db first: what is stored meanwhile makes it look behind, never ahead.
    rows = await opsdb.fetch("SELECT stream, sequence FROM stream_position")
    applied = {row["stream"]: int(row["sequence"]) for row in rows}
    js = client.jetstream(timeout=API_TIMEOUT_S)
    try:
        stored = {stream: await _last_sequence(js, stream) for stream in place.streams}
        found = [
            await _projection(js, stream, last, applied.get(stream, 0))
            for stream, last in stored.items()
            if last is not None
        ]
    except (NatsError, OSError, TimeoutError) as error:
        raise unavailable(place.settings.nats.url, error) from error
    return tuple(found)


def queue_of(info: ConsumerInfo, site: str, stream: str) -> Queue | None:
    """A durable consumer of `site` as a queue; None for anybody else's."""
    owner, _, rest = info.name.partition("_")
    service, _, handler = rest.partition("_")
    if owner != site or not handler:
        return None
    return Queue(
        service=service,
        handler=handler,
        origin=stream.removeprefix(events_stream("")),
        waiting=info.num_pending or 0,
        in_hand=info.num_ack_pending or 0,
        redelivered=info.num_redelivered or 0,
    )


async def _last_sequence(js: JetStreamContext, stream: str) -> int | None:
    """None while the stream (a mirror of a site that was never reached) is not there."""
    try:
        return int((await js.stream_info(stream)).state.last_seq)
    except NotFoundError:
        return None


async def _projection(js: JetStreamContext, stream: str, stored: int, applied: int) -> Projection:
    behind = max(0, stored - applied)
    return Projection(
        stream=stream,
        stored=stored,
        applied=applied,
        behind=behind,
        behind_s=await _waited_s(js, stream, applied + 1) if behind else None,
    )


async def _waited_s(js: JetStreamContext, stream: str, sequence: int) -> float | None:
    try:
        time = (await js.get_msg(stream, sequence)).time
    except NotFoundError:
        return None
    return None if time is None else max(0.0, (datetime.now(UTC) - time).total_seconds())
