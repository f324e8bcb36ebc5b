"""The declaration and the composition of a service."""

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr

from contracts.base import Event
from contracts.subjects import events_stream
from libs.breakers.shared import Breakers
from libs.bus.bus import Bus
from libs.bus.connection import BusAddress
from libs.bus.extent import last_sequence
from libs.bus.leases import Lease, Leases
from libs.bus.provision import Neighbour
from libs.bus.subscription import Subscription
from libs.opsdb.reader import OpsDbReader
from libs.service.hindsight import Hindsight
from libs.service.patience import patiently
from libs.sites.credentials import Credentials, Login
from libs.sites.models import Deployment, DiskLocation, S3Location, SiteSettings
from libs.storage.s3_settings import S3Settings


@dataclass(frozen=True, slots=True)
class Place:
    """Where an instance of a service runs.

    Attributes:
        site: The site.
        deployment: With real addresses in the place of ``embedded``.
        credentials: Of the site's servers.
        state: A folder in which the site's services may keep files (previews, logs).
    """

    site: str
    deployment: Deployment
    credentials: Credentials = field(repr=False)
    state: Path

    @property
    def settings(self) -> SiteSettings:
        """The settings of the site."""
        return self.deployment.site(self.site)

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that can be read here: the site's own and its mirrors."""
        return tuple(events_stream(site) for site in self.deployment.sites)

    @property
    def redelivery_s(self) -> float:
        """After so long a message goes from an instance that makes no sign to another one."""
        return self.settings.claims.redelivery.total_seconds()

    @property
    def previews(self) -> Path:
        """Where the site keeps thumbnails and previews."""
        return self.state / "previews"

    def bus_address(self) -> BusAddress:
        """The site's NATS server."""
        nats = self.settings.nats
        return BusAddress(
            url=nats.url,
            user=nats.user,
            password=self.credentials.nats(self.deployment, self.site).password,
            domain=nats.domain,
        )

    def neighbours(self) -> tuple[Neighbour, ...]:
        """The other sites, with the domain of those that have a server of their own."""
        own = self.settings.nats.url
        return tuple(
            Neighbour(name, None if other.nats.url == own else (other.nats.domain or name))
            for name, other in self.deployment.sites.items()
            if name != self.site
        )

    def opsdb_dsn(self) -> str:
        """The ops-db, for the role that can only read."""
        return self._dsn(self.credentials.opsdb_reader(self.deployment, self.site))

    def opsdb_writer_dsn(self) -> str:
        """The ops-db, for the projector."""
        return self._dsn(self.credentials.opsdb_writer(self.deployment, self.site))

    def _dsn(self, login: Login) -> str:
        opsdb = self.settings.opsdb
        database = self.settings.database_of(self.site)
        return (
            f"postgresql://{quote(login.user)}:{quote(login.password)}@{opsdb.host}:{opsdb.port}/{database}"
        )

    def disk(self, location: str) -> DiskLocation:
        """The settings of a disk location; KeyError if there is none of that name."""
        return self.deployment.disk(location)

    def s3(self, location: str) -> S3Settings:
        """The settings of an archive on S3, keys included; KeyError if there is none of that name."""
        _, settings = self.deployment.location(location)
        if not isinstance(settings, S3Location):
            raise KeyError(location)
        keys = self.credentials.s3(location)
        return S3Settings(
            endpoint=settings.endpoint,
            bucket=settings.bucket,
            access_key=keys.access_key,
            secret_key=SecretStr(keys.secret_key),
            region=settings.region,
        )


@dataclass(frozen=True, slots=True)
class Runtime:
    """What `compose` is given: the place, and the connected bus on which it subscribes its handlers."""

    place: Place
    bus: Bus

    def opsdb(self) -> AbstractAsyncContextManager[OpsDbReader]:
        """The site's ops-db, read only; entering waits until PostgreSQL answers."""
        return _patient_reader(self.place.opsdb_dsn())

    @asynccontextmanager
    async def opsdb_in_step(self) -> AsyncIterator[OpsDbReader]:
        """The ops-db; entering waits, too, until it has applied what the site's own stream holds now.

        Whatever this site did before is known then: no clock and no handler begins it anew while the ops-db is
        being made from the log, after a restore or a rebuild.
        """
        async with self.opsdb() as opsdb:
            stream = events_stream(self.place.site)
            end = await patiently(lambda: last_sequence(self.bus.client, stream), what="the log")
            await patiently(lambda: opsdb.wait_applied(stream, end), what="the ops-db to follow the log")
            yield opsdb

    async def in_step(self, opsdb: OpsDbReader) -> None:
        """Wait until the ops-db has applied what the site's own stream holds now.

        Raises:
            Retriable: ``bus_unavailable``, ``opsdb_unavailable``, ``projection_lags``.
        """
        stream = events_stream(self.place.site)
        await opsdb.wait_applied(stream, await last_sequence(self.bus.client, stream))

    def hindsight(self) -> AbstractAsyncContextManager[Hindsight]:
        """What the site has said before; nothing is waited for on entering."""
        return Hindsight.open(self.place.opsdb_dsn(), self.bus.client, self.place.site)

    def breakers(self) -> Breakers:
        """The circuit breakers that all instances at the site share."""
        return Breakers(self.bus.client, site=self.place.site, who=instance_name(self.bus.service))

    def lease(self, what: str) -> Lease:
        """What only one instance of the service at the site may do, by a name for it."""
        service = self.bus.service
        leases = Leases(
            self.bus.client,
            site=self.place.site,
            instance=instance_name(service),
            lease_s=self.place.settings.claims.lease.total_seconds(),
        )
        return leases.of(f"{service}.{what}")


@asynccontextmanager
async def _patient_reader(dsn: str) -> AsyncIterator[OpsDbReader]:
    async with AsyncExitStack() as stack:
        yield await patiently(lambda: stack.enter_async_context(OpsDbReader.open(dsn)), what="ops-db")


@dataclass(frozen=True, slots=True)
class Service:
    """A service as its `app.py` declares it.

    Attributes:
        name: As in `chasqui run NAME`.
        subscriptions: Every subscription it has.
        runs_at: Whether a site of a deployment needs it.
        compose: Builds its parts, subscribes its handlers, and takes it all down again.
        says: Every event it says. Who has subscriptions says, besides, what became of dead letters.
    """

    name: str
    subscriptions: tuple[Subscription, ...]
    runs_at: Callable[[Deployment, str], bool]
    compose: Callable[[Runtime], AbstractAsyncContextManager[None]]
    says: tuple[type[Event], ...] = ()

    def subscriptions_at(self, place: Place) -> tuple[Subscription, ...]:
        """Every subscription it has, with the deadlines of a site."""
        return tuple(one.redelivered_after(place.redelivery_s) for one in self.subscriptions)


def instance_name(service: str, pid: int | None = None) -> str:
    """Names one running process of a service on this machine; this process if none is given."""
    return f"{service}.{socket.gethostname().replace('.', '-')}-{pid or os.getpid()}"
