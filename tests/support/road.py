"""Two sites of one test: their own streams, databases, bucket and folders on the run's servers."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from commands.founding import apply_deployment
from commands.services import load
from contracts.base import Event
from contracts.envelope import Envelope
from contracts.registry import REGISTRY
from contracts.states import LocationType, RouteType, StorageType
from contracts.subjects import dead_stream, events_stream
from libs.breakers.shared import Breakers
from libs.bus.connection import connect
from libs.bus.provision import provision_consumers, provision_streams
from libs.bus.publishing import EventPublisher
from libs.service.hindsight import Hindsight
from libs.service.running import running
from libs.service.service import Place
from libs.sites.credentials import (
    Credentials,
    access_key,
    nats_password,
    reader_password,
    secret_key,
    writer_password,
)
from libs.sites.models import (
    Deployment,
    DiskLocation,
    InstrumentSettings,
    NatsSettings,
    OpsDbSettings,
    RouteSettings,
    S3Location,
    ScanSettings,
    SiteSettings,
)
from libs.sites.retention import Retention
from libs.storage.s3 import S3Store
from tests.support.servers import READER, READER_PASSWORD, TEMPLATE, WRITER, WRITER_PASSWORD, TestServers

E = TypeVar("E", bound=Event)
PATIENCE_S = 60.0


class Part(Enum):
    """Of a road, what not every test needs."""

    OPSDB = auto()
    """The sites' databases."""
    ARCHIVE = auto()
    """The archive's bucket."""


@dataclass
class Road:
    """A telescope's site and a data centre.

    Attributes:
        telescope: The site with SOURCE (location ``<site>-source``) and BUFFER (``<site>-buffer``);
            its instrument is ``camera`` with modules ``main`` and ``guide``.
        centre: The site with BUFFER, LONG_TERM_ARCHIVE (``<site>-archive``) and PROCESSING (``<site>-processing``).
        relay: A site between the two with a BUFFER, if the road has one.
    """

    servers: TestServers
    telescope: Place
    centre: Place
    relay: Place | None = None
    clients: dict[str, Client] = field(default_factory=dict)
    lacking: set[Part] = field(default_factory=lambda: {*Part})

    async def make(self, part: "Part") -> None:
        """Make a part, unless it is there."""
        if part not in self.lacking:
            return
        self.lacking.remove(part)
        if part is Part.OPSDB:
            await _databases(self.servers, self.telescope.deployment)
        else:
            async with S3Store(self.centre.s3(f"{self.centre.site}-archive")) as store:
                await store.ensure_bucket()

    async def make_for(self, service: str) -> None:
        """Make what a service needs to run."""
        await self.make(Part.OPSDB)
        if service == "archiver":
            await self.make(Part.ARCHIVE)

    @property
    def source(self) -> Path:
        """The instrument's folder."""
        return self.telescope.disk(f"{self.telescope.site}-source").path / "camera"

    def folder(self, location: str) -> Path:
        """The root of a disk location, by its ending: ``buffer`` is looked for at both sites by full name."""
        return self.telescope.disk(location).path

    def client(self, place: Place) -> Client:
        """A connection to a site's server."""
        return self.clients[place.site]

    def publisher(self, place: Place, service: str = "test") -> EventPublisher:
        """Publishes events at a site, as a service would."""
        return EventPublisher(self.client(place), site=place.site, service=service)

    def without_hindsight(self, place: Place) -> Hindsight:
        """What a site has said before, while its ops-db is away: nothing is known."""
        return Hindsight("postgresql://127.0.0.1:9/away", self.client(place), place.site)

    def breakers(self, place: Place) -> Breakers:
        """The circuit breakers of a site, as an instance sees them."""
        return Breakers(self.client(place), site=place.site, who="test")

    @asynccontextmanager
    async def running(self, place: Place, *services: str) -> AsyncIterator[None]:
        """Run services of a site in this event loop while the block lasts."""
        async with AsyncExitStack() as stack:
            for name in services:
                service = load(name)
                await self.make_for(name)
                await provision_consumers(
                    self.client(place),
                    site=place.site,
                    origins=tuple(place.deployment.sites),
                    subscriptions=service.subscriptions_at(place),
                )
                await stack.enter_async_context(running(service, place, graceful_s=2.0))
            yield

    async def events(self, place: Place) -> list[tuple[Envelope, Event]]:
        """Every event in a site's stream, in order."""
        js = self.client(place).jetstream()
        stream = events_stream(place.site)
        last = (await js.stream_info(stream)).state.last_seq
        found = []
        for sequence in range(1, last + 1):
            raw = await js.get_msg(stream, sequence, direct=True)
            kind = "chasqui." + (raw.subject or "").split(".", 2)[2]
            found.append((Envelope.from_headers(raw.headers or {}), REGISTRY.read(kind, raw.data or b"")))
        return found

    async def events_of(self, place: Place, kind: type[E]) -> list[E]:
        """Every event of one type at a site, in order."""
        return [event for _, event in await self.events(place) if isinstance(event, kind)]

    async def wait_for(
        self, place: Place, kind: type[E], *, count: int = 1, within_s: float = PATIENCE_S
    ) -> list[E]:
        """Wait until a site's stream has `count` events of a type; AssertionError after `within_s` seconds."""
        js = self.client(place).jetstream()
        deadline = time.monotonic() + within_s
        while True:
            info = await js.stream_info(events_stream(place.site), subjects_filter=kind.subject(place.site))
            if sum((info.state.subjects or {}).values()) >= count:
                return await self.events_of(place, kind)
            assert time.monotonic() < deadline, (
                f"{kind.__name__} did not come {count} times within {within_s} s at {place.site}; "
                f"there are {[type(e).__name__ for _, e in await self.events(place)]}"
            )
            await asyncio.sleep(0.03)

    async def letters(self, place: Place) -> list[dict[str, str]]:
        """The headers of every dead letter at a site."""
        js = self.client(place).jetstream()
        stream = dead_stream(place.site)
        state = (await js.stream_info(stream)).state
        found = []
        for sequence in range(max(1, state.first_seq), state.last_seq + 1):
            with suppress(NotFoundError):  # sent again, dropped or settled
                found.append(dict((await js.get_msg(stream, sequence, direct=True)).headers or {}))
        return found

    async def query(self, place: Place, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask a site's ops-db, as the reader."""
        connection = await asyncpg.connect(place.opsdb_dsn())
        try:
            return list(await connection.fetch(sql, *arguments))
        finally:
            await connection.close()

    async def eventually(
        self, condition: Callable[[], Any], *, within_s: float = PATIENCE_S, what: str = "it"
    ) -> None:
        """Wait until a coroutine function (or a plain one) returns something true."""
        deadline, pause = time.monotonic() + within_s, 0.03
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            assert time.monotonic() < deadline, f"{what} did not come true within {within_s} s"
            await asyncio.sleep(pause)
            pause = min(pause * 1.1, 0.2)


@asynccontextmanager
async def laid(
    servers: TestServers, folder: Path, *, relayed: bool = False, without: Collection[Part] = ()
) -> AsyncIterator[Road]:
    """Lay a road: two sites on the run's servers, provisioned, with nothing running.

    Args:
        servers: The run's servers.
        folder: Of the test.
        relayed: Put a third site between the two.
        without: What is made only when a service runs that needs it, for it takes as long as all the rest.
    """
    token = secrets.token_hex(4)
    telescope, centre, relay = f"chile-{token}", f"cologne-{token}", f"miami-{token}"
    deployment = make_deployment(servers, folder, telescope, centre, bucket=f"archive-{token}")
    if relayed:
        deployment = _with_relay(deployment, centre, relay)
    credentials = make_credentials(servers, deployment)
    for _, _, location in deployment.locations():
        if isinstance(location, DiskLocation):
            location.path.mkdir(parents=True)
    sites = (telescope, centre, relay) if relayed else (telescope, centre)
    places = [Place(site, deployment, credentials, folder / "state" / site) for site in sites]
    road = Road(servers, telescope=places[0], centre=places[1], relay=places[2] if relayed else None)
    road.source.mkdir()
    try:
        for part in Part:
            if part not in without:
                await road.make(part)
        for place in places:
            road.clients[place.site] = await connect(place.bus_address(), name=f"test@{place.site}")
            await provision_streams(road.client(place), site=place.site)
            await apply_deployment(road.client(place), place.site, deployment)
        yield road
    finally:
        for place in places:
            await _forget(road, place)
        if Part.OPSDB not in road.lacking:
            await _drop(servers, deployment)


def make_deployment(
    servers: TestServers, folder: Path, telescope: str, centre: str, *, bucket: str
) -> Deployment:
    """The deployment of a test: quick quiet times, no retention."""
    at_once = Retention.model_validate({"keep_for": 0})

    def disk(name: str, kind: LocationType) -> DiskLocation:
        return DiskLocation(type=kind, storage=StorageType.DISK, path=folder / name, retention=at_once)

    def site(name: str, locations: dict[str, DiskLocation | S3Location]) -> SiteSettings:
        return SiteSettings(
            nats=NatsSettings(url=servers.nats_url, user=servers.nats_user),
            opsdb=OpsDbSettings(
                host=servers.postgres_host,
                port=servers.postgres_port,
                database=database_of(name),
                writer=WRITER,
                reader=READER,
            ),
            scan=ScanSettings.model_validate(
                {"quiet": "100ms", "sweep": "500ms", "missing_after": "1s", "unfiled_after": "1s"}
            ),
            locations=dict(locations),
        )

    return Deployment(
        version=1,
        observatory="Test Observatory",
        telescope="Test Telescope",
        sites={
            telescope: site(
                telescope,
                {
                    f"{telescope}-source": disk(f"{telescope}-source", LocationType.SOURCE),
                    f"{telescope}-buffer": disk(f"{telescope}-buffer", LocationType.BUFFER),
                },
            ),
            centre: site(
                centre,
                {
                    f"{centre}-buffer": disk(f"{centre}-buffer", LocationType.BUFFER),
                    f"{centre}-processing": disk(f"{centre}-processing", LocationType.PROCESSING),
                    f"{centre}-archive": S3Location(
                        type=LocationType.LONG_TERM_ARCHIVE,
                        storage=StorageType.S3,
                        endpoint=servers.s3_endpoint,
                        bucket=bucket,
                    ),
                },
            ),
        },
        instruments={
            "camera": InstrumentSettings(
                site=telescope, source=f"{telescope}-source", folder="camera", modules=("main", "guide")
            )
        },
        routes={f"{telescope}-{centre}": RouteSettings(origin=telescope, destination=centre)},
    )


def _with_relay(deployment: Deployment, centre: str, relay: str) -> Deployment:
    """The same deployment with a third site, through which its one route leads."""
    like = deployment.site(centre)
    buffer = deployment.disk(f"{centre}-buffer")
    moved = buffer.model_copy(update={"path": buffer.path.with_name(f"{relay}-buffer")})
    opsdb = like.opsdb.model_copy(update={"database": database_of(relay)})
    site = like.model_copy(update={"locations": {f"{relay}-buffer": moved}, "opsdb": opsdb})
    [(name, route)] = deployment.routes.items()
    through = route.model_copy(update={"type": RouteType.RELAY, "via": (relay,)})
    return deployment.model_copy(
        update={"sites": {**deployment.sites, relay: site}, "routes": {name: through}}
    )


def make_credentials(servers: TestServers, deployment: Deployment) -> Credentials:
    """The secrets of a test's deployment."""
    values: dict[str, str] = {}
    for site in deployment.sites:
        values |= {
            nats_password(site): servers.nats_password,
            writer_password(site): WRITER_PASSWORD,
            reader_password(site): READER_PASSWORD,
        }
    for _, name, location in deployment.locations():
        if isinstance(location, S3Location):
            values |= {access_key(name): servers.s3_access_key, secret_key(name): servers.s3_secret_key}
    return Credentials(values)


def database_of(site: str) -> str:
    """The database of a test's site."""
    return f"opsdb_{site.replace('-', '_')}"


async def _databases(servers: TestServers, deployment: Deployment) -> None:
    admin = await asyncpg.connect(servers.dsn("postgres"))
    try:
        for site in deployment.sites:
            for attempt in range(20):
                try:
                    await admin.execute(
                        f"CREATE DATABASE {database_of(site)} TEMPLATE {TEMPLATE} OWNER {WRITER} STRATEGY FILE_COPY"
                    )
                    break
                except asyncpg.ObjectInUseError:
                    # Another test's copy of the template is being made at this moment.
                    assert attempt < 19
                    await asyncio.sleep(0.1)
    finally:
        await admin.close()


async def _drop(servers: TestServers, deployment: Deployment) -> None:
    admin = await asyncpg.connect(servers.dsn("postgres"))
    try:
        for site in deployment.sites:
            await admin.execute(f"DROP DATABASE IF EXISTS {database_of(site)} WITH (FORCE)")
    finally:
        await admin.close()


async def _forget(road: Road, place: Place) -> None:
    client = road.clients.get(place.site)
    if client is None:
        return
    js = client.jetstream(timeout=10)
    for info in await js.streams_info():
        if str(info.config.name).endswith(f"_{place.site}"):
            await js.delete_stream(str(info.config.name))
    await client.close()
