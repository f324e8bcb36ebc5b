"""How a site is: services, queues, projection, work by state, disks, and the oldest file that is not archived."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from contracts.base import ByteCount, Message, Utc
from contracts.subjects import dead_stream, heartbeat_bucket, progress_bucket
from libs.bus.buckets import Facts, read_bucket
from libs.bus.connection import unavailable
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.sites.models import DiskLocation
from libs.storage.disk import DiskStore


class Queue(Message):
    """One handler's consumer: what it has not begun, and what it has in hand."""

    service: str
    handler: str
    origin: str
    waiting: int
    in_hand: int
    redelivered: int


class Projection(Message):
    """How far ops-db follows a stream."""

    stream: str
    stored: int
    applied: int

    @property
    def behind(self) -> int:
        """Events stored but not applied."""
        return max(0, self.stored - self.applied)


class Disk(Message):
    """The room on a disk location."""

    location: str
    type: str
    total: ByteCount
    free: ByteCount
    reachable: bool


class Oldest(Message):
    """The file that has waited longest to be archived."""

    file_id: str
    path: str
    filed_at: Utc
    state: str
    age_s: float


class SiteStatus(Message):
    """Everything on the operator's one page, of one site."""

    site: str
    at: Utc
    services: dict[str, int]
    queues: tuple[Queue, ...]
    projections: tuple[Projection, ...]
    dead_letters: int
    observations: dict[str, int]
    files: dict[str, int]
    packages: dict[str, int]
    bundles: dict[str, int]
    staging_jobs: dict[str, int]
    unfiled_files: int
    disks: tuple[Disk, ...]
    oldest_unarchived: Oldest | None
    progress: dict[str, Facts]


async def site_status(place: Place, client: Client, opsdb: OpsDbReader) -> SiteStatus:
    """Gather the status of a site.

    Args:
        place: The site.
        client: Connected to its NATS server.
        opsdb: Its ops-db.

    Raises:
        Retriable: ``bus_unavailable`` or ``opsdb_unavailable``.
    """
    now = datetime.now(UTC)
    try:
        alive = await read_bucket(client, heartbeat_bucket(place.site))
        progress = await read_bucket(client, progress_bucket(place.site))
        queues, stored = await _queues(place, client)
        letters = (await client.jetstream(timeout=5).stream_info(dead_stream(place.site))).state.messages
    except (NatsError, OSError, TimeoutError) as error:
        raise unavailable(place.settings.nats.url, error) from error
    applied = {row["stream"]: row["sequence"] for row in await opsdb.fetch("SELECT * FROM stream_position")}
    return SiteStatus(
        site=place.site,
        at=now,
        services=_instances(alive),
        queues=queues,
        projections=tuple(
            Projection(stream=stream, stored=last, applied=applied.get(stream, 0))
            for stream, last in stored.items()
        ),
        dead_letters=letters,
        observations=await _by_state(opsdb, "executed_obs_unit"),
        files=await _by_state(opsdb, "raw_data_file"),
        packages=await _by_state(opsdb, "raw_data_package"),
        bundles=await _by_state(opsdb, "data_transfer_package"),
        staging_jobs=await _by_state(opsdb, "staging_job"),
        unfiled_files=await opsdb.fetchval("SELECT count(*) FROM unfiled_file WHERE filed_at IS NULL"),
        disks=tuple([await _disk(name, x) for name, x in _disks(place)]),
        oldest_unarchived=await _oldest(opsdb, now),
        progress=progress,
    )


def _instances(alive: dict[str, Facts]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for facts in alive.values():
        name = str(facts.get("service", "?"))
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


async def _queues(place: Place, client: Client) -> tuple[tuple[Queue, ...], dict[str, int]]:
    js = client.jetstream(timeout=5)
    found: list[Queue] = []
    stored: dict[str, int] = {}
    for stream in place.streams:
        try:
            stored[stream] = (await js.stream_info(stream)).state.last_seq
            consumers = await js.consumers_info(stream)
        except NotFoundError:
            continue
        for info in consumers:
            site, _, rest = info.name.partition("_")
            service, _, handler = rest.partition("_")
            if site == place.site and handler:
                found.append(
                    Queue(
                        service=service,
                        handler=handler,
                        origin=stream.removeprefix("EVENTS_"),
                        waiting=info.num_pending or 0,
                        in_hand=info.num_ack_pending or 0,
                        redelivered=info.num_redelivered or 0,
                    )
                )
    return tuple(sorted(found, key=lambda queue: (queue.service, queue.handler, queue.origin))), stored


async def _by_state(opsdb: OpsDbReader, table: str) -> dict[str, int]:
    rows = await opsdb.fetch(
        f"SELECT state::text AS state, count(*) AS n FROM {table} WHERE state IS NOT NULL GROUP BY state ORDER BY state"  # noqa: S608  table names of this module
    )
    return {row["state"]: row["n"] for row in rows}


async def _oldest(opsdb: OpsDbReader, now: datetime) -> Oldest | None:
    row = await opsdb.fetchrow(
        """
        SELECT f.id, f.path, f.filed_at, f.state::text AS state
        FROM raw_data_file f LEFT JOIN raw_data_package p ON p.id = f.raw_data_package_id
        WHERE f.filed_at IS NOT NULL AND p.archived_at IS NULL
        ORDER BY f.filed_at LIMIT 1
        """
    )
    if row is None:
        return None
    return Oldest(
        file_id=str(row["id"]),
        path=row["path"],
        filed_at=row["filed_at"],
        state=row["state"],
        age_s=(now - row["filed_at"]).total_seconds(),
    )


def _disks(place: Place) -> Sequence[tuple[str, DiskLocation]]:
    return [(n, x) for n, x in place.settings.locations.items() if isinstance(x, DiskLocation)]


async def _disk(name: str, location: DiskLocation) -> Disk:
    if not Path(location.path).is_dir():  # noqa: ASYNC240  one stat of a mounted folder
        return Disk(location=name, type=location.type, total=0, free=0, reachable=False)
    space = await DiskStore(location.path).space()
    return Disk(location=name, type=location.type, total=space.total, free=space.free, reachable=True)
