"""The one place where streams, consumers and buckets are made. What exists differently is told, never overwritten."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    ExternalStream,
    KeyValueConfig,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamSource,
)
from nats.js.errors import BadRequestError, BucketNotFoundError, NotFoundError

from contracts.subjects import (
    all_dead_letters,
    all_events,
    all_replays,
    attempts_bucket,
    breaker_bucket,
    dead_stream,
    events_stream,
    heartbeat_bucket,
    lease_bucket,
    pressure_bucket,
    progress_bucket,
    replay_stream,
)
from libs.bus.connection import unavailable
from libs.bus.subscription import Source, Subscription
from libs.errors import UserError

DUPLICATE_WINDOW_S = 600.0
HEARTBEAT_TTL_S = 15.0
PROGRESS_TTL_S = 7 * 86400.0
ATTEMPTS_TTL_S = 7 * 86400.0
BREAKER_TTL_S = 86400.0
REPLAY_WINDOW_S = 86400.0
"""A retry or replay whose sender was killed may be repeated for a day without being sent twice."""
MOST_PENDING = 65_536
"""Messages of one consumer that may wait to be delivered again, each for its own delay. All others wait behind them
once there are so many: that is for a site whose archive was away over a long weekend, not for an ordinary night."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another site as this one sees it.

    Attributes:
        name: The site.
        domain: The JetStream domain of its server; None if it shares this site's server.
    """

    name: str
    domain: str | None


async def provision_streams(client: Client, *, site: str) -> None:
    """Make a site's own streams and buckets. Do this at every site before the mirrors.

    Args:
        client: Connected to the site's server.
        site: The site.

    Raises:
        UserError: ``provision_differs``: a stream exists with other settings.
        Retriable: ``bus_unavailable``.
    """
    js = client.jetstream(timeout=15)
    with _server_errors(client):
        await _stream(js, own_stream(site))
        await _stream(js, letters_stream(site))
        await _stream(js, replays_stream(site))
        await _bucket(js, heartbeat_bucket(site), HEARTBEAT_TTL_S, StorageType.FILE)
        # A bucket in memory is gone with the server, itself included; and leases end by nobody's date.
        await _bucket(js, lease_bucket(site), None, StorageType.FILE)
        await _bucket(js, breaker_bucket(site), BREAKER_TTL_S, StorageType.FILE)
        await _bucket(js, pressure_bucket(site), None, StorageType.FILE)
        await _bucket(js, attempts_bucket(site), ATTEMPTS_TTL_S, StorageType.FILE)
        await _bucket(js, progress_bucket(site), PROGRESS_TTL_S, StorageType.FILE)


async def provision_mirrors(client: Client, *, neighbours: Sequence[Neighbour]) -> tuple[str, ...]:
    """Make the mirrors of other sites' streams.

    A mirror that is made before its origin can be reached is tried again by the server only after tens of
    seconds, so it is made only once the origin answers.

    Returns:
        The sites that cannot be reached yet: call again later.

    Raises:
        UserError: ``provision_differs``.
        Retriable: ``bus_unavailable``.
    """
    js = client.jetstream(timeout=15)
    missing = []
    with _server_errors(client):
        for neighbour in neighbours:
            if neighbour.domain is None:
                continue
            # One that is there fetches by itself: a site that is cut off starts again without the others.
            if await _exists(js, events_stream(neighbour.name)) or await _reachable(client, neighbour):
                await _stream(js, mirror(neighbour))
            else:
                missing.append(neighbour.name)
    return tuple(missing)


async def provision_consumers(
    client: Client, *, site: str, origins: Sequence[str], subscriptions: Iterable[Subscription]
) -> None:
    """Make the durable consumers of the services that run at `site`.

    Args:
        client: Connected to the site's server.
        site: The site.
        origins: The sites whose streams exist on this server: its own and its mirrors.
        subscriptions: Of every service that runs at the site.

    Raises:
        UserError: ``provision_differs``.
        Retriable: ``bus_unavailable``.
    """
    js = client.jetstream(timeout=15)
    with _server_errors(client):
        for subscription in subscriptions:
            for source in subscription.sources(site, tuple(origins)):
                await _consumer(js, source.stream, consumer(subscription, site, source))


@contextmanager
def _server_errors(client: Client) -> Iterator[None]:
    try:
        yield
    except (NatsError, OSError, TimeoutError) as error:
        raise unavailable(str(client.connected_url), error) from error


async def _exists(js: JetStreamContext, name: str) -> bool:
    try:
        await js.stream_info(name)
    except NotFoundError:
        return False
    return True


async def _reachable(client: Client, neighbour: Neighbour) -> bool:
    remote = client.jetstream(timeout=2, domain=neighbour.domain)
    try:
        await remote.stream_info(events_stream(neighbour.name))
    except (NatsError, TimeoutError):
        return False
    return True


def own_stream(site: str) -> StreamConfig:
    """The system of record: kept for ever, never purged, duplicates recognised for ten minutes."""
    return StreamConfig(
        name=events_stream(site),
        description=f"Everything that happened at {site}",
        subjects=[all_events(site)],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        duplicate_window=DUPLICATE_WINDOW_S,
        deny_delete=True,
        deny_purge=True,
        allow_direct=True,
        num_replicas=1,
    )


def letters_stream(site: str) -> StreamConfig:
    """The dead letters of a site's services."""
    return StreamConfig(
        name=dead_stream(site),
        description=f"What the services at {site} could not handle",
        subjects=[all_dead_letters(site)],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,  # should somebody limit it: no letter is thrown away for another one
        duplicate_window=DUPLICATE_WINDOW_S,
        allow_direct=True,
        num_replicas=1,
    )


def replays_stream(site: str) -> StreamConfig:
    """Messages that are handled again: each waits for its one handler, and is gone when that has settled it."""
    return StreamConfig(
        name=replay_stream(site),
        description=f"What the services at {site} handle again",
        subjects=[all_replays(site)],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        duplicate_window=REPLAY_WINDOW_S,
        allow_direct=True,
        num_replicas=1,
    )


def mirror(neighbour: Neighbour) -> StreamConfig:
    """A read-only copy of another site's events, with the same sequences."""
    name = events_stream(neighbour.name)
    return StreamConfig(
        name=name,
        description=f"Mirror of what happened at {neighbour.name}",
        mirror=StreamSource(name=name, external=ExternalStream(api=f"$JS.{neighbour.domain}.API")),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        mirror_direct=True,
        num_replicas=1,
    )


def consumer(subscription: Subscription, site: str, source: Source) -> ConsumerConfig:
    """The durable pull consumer of one subscription on one of its streams."""
    return ConsumerConfig(
        durable_name=subscription.durable(site),
        name=subscription.durable(site),
        description=f"{subscription.service} at {site}: {subscription.handler}",
        filter_subjects=list(source.filters),
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=subscription.ack_wait_s,
        max_deliver=-1,
        max_ack_pending=MOST_PENDING,
    )


async def _stream(js: JetStreamContext, wanted: StreamConfig) -> None:
    name = str(wanted.name)
    try:
        found = (await js.stream_info(name)).config
    except NotFoundError:
        await js.add_stream(wanted)
        return
    compared = ("retention", "storage", "deny_delete", "deny_purge", "duplicate_window")
    differences = _differences(wanted, found, compared if wanted.mirror is None else compared[:2])
    if wanted.mirror is None and sorted(found.subjects or []) != sorted(wanted.subjects or []):
        differences.append(f"subjects is {found.subjects}, not {wanted.subjects}")
    _refuse(f"stream {name}", differences)


_IN_PLACE = ("ack_wait", "max_ack_pending", "max_deliver", "description")


async def _consumer(js: JetStreamContext, stream: str, wanted: ConsumerConfig) -> None:
    name = str(wanted.durable_name)
    try:
        found = (await js.consumer_info(stream, name)).config
    except NotFoundError:
        await js.add_consumer(stream, config=wanted)
        return
    differs = any(getattr(found, field) != getattr(wanted, field) for field in _IN_PLACE)
    if differs or sorted(_filters(found)) != sorted(_filters(wanted)):
        # The position survives: the server updates these of a consumer in place.
        try:
            await js.add_consumer(stream, config=wanted)
        except BadRequestError as error:
            _refuse(f"consumer {name} of {stream}", [str(error.description)])


def _filters(config: ConsumerConfig) -> list[str]:
    return config.filter_subjects or ([config.filter_subject] if config.filter_subject else [])


async def _bucket(js: JetStreamContext, name: str, ttl_s: float | None, storage: StorageType) -> None:
    try:
        await js.key_value(name)
    except BucketNotFoundError:
        await js.create_key_value(KeyValueConfig(bucket=name, ttl=ttl_s, storage=storage, history=1))


def _differences(wanted: Any, found: Any, fields: Sequence[str]) -> list[str]:  # noqa: ANN401  nats-py's dataclasses
    return [
        f"{field} is {getattr(found, field)}, not {getattr(wanted, field)}"
        for field in fields
        if getattr(found, field) != getattr(wanted, field)
    ]


def _refuse(what: str, differences: Sequence[str]) -> None:
    if differences:
        raise UserError(
            "provision_differs",
            f"{what} exists with other settings: {'; '.join(differences)}",
            "Change it with the nats tool after reading docs/runbook, or restore what it was; nothing was changed.",
        )
