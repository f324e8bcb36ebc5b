"""Making a deployment ready for its services: databases, streams, buckets, folders, and the fact in the log."""

import secrets
from collections.abc import Sequence
from functools import partial

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from commands.embedding import Servers
from commands.services import load_all
from contracts.deployment import DeploymentApplied
from contracts.registry import REGISTRY
from contracts.states import LocationType
from contracts.subjects import events_stream
from libs.bus.connection import connect
from libs.bus.provision import provision_consumers, provision_mirrors, provision_streams
from libs.bus.publishing import EventPublisher
from libs.errors import ChasquiError, Retriable
from libs.eventlog.archives import folders_of
from libs.eventlog.histories import OwnHistory
from libs.opsdb.migrating import migrate
from libs.opsdb.reader import OpsDbReader
from libs.opsdb.rebuild import LogStream
from libs.opsdb.upkeep.lacking import complete
from libs.service.archives import open_archives
from libs.service.patience import patiently
from libs.service.service import Place, Service
from libs.sites.credentials import Credentials, reader_password, writer_password
from libs.sites.facts import to_facts
from libs.sites.models import Deployment
from libs.sites.workdir import Workdir
from libs.storage.s3 import S3Store
from libs.telemetry.logs import logger

log = logger("provision")


async def found(
    servers: Servers, workdir: Workdir, original: Deployment, sites: Sequence[str]
) -> dict[str, Place]:
    """Make everything that `sites` need, repeatably; data that is there stays.

    Args:
        servers: Running servers.
        workdir: Where sites keep files.
        original: The deployment as it was written, whose facts go into the log.
        sites: The sites that run here.

    Returns:
        The place of each site.
    """
    workdir.create_locations(servers.deployment)
    credentials = await _databases(servers, sites)
    places = {
        site: Place(
            site=site,
            deployment=servers.deployment,
            credentials=credentials,
            state=workdir.site(site),
        )
        for site in sites
    }
    for place in places.values():
        await prepare_place(place)
    await provision(places, original)
    return places


async def prepare_place(place: Place) -> None:
    """Bring a site's tables to this release, and make its buckets and its preview folder.

    Raises:
        Retriable: PostgreSQL or S3 does not answer.
    """
    place.previews.mkdir(parents=True, exist_ok=True)
    await _migrate(place)
    await _buckets(place)


async def provision(places: dict[str, Place], original: Deployment) -> None:
    """Make streams at every site, then mirrors, then consumers; then tell the log which deployment runs.

    Raises:
        UserError: ``restore_unfinished``, ``history_elsewhere``, ``history_differs`` or ``opsdb_ahead``: a site's
            stream is not its whole history; nothing was written to it.
    """
    clients: dict[str, Client] = {}
    try:
        for site, place in places.items():
            clients[site] = await connect(place.bus_address(), name=f"provision@{site}")
            await require_own_history(clients[site], place)
        for site in places:
            await provision_streams(clients[site], site=site)
        for site, place in places.items():
            await patiently(partial(_mirrors, clients[site], place), what=f"mirrors at {site}")
            # Once more: a site that is new here waits for the others, which could not be asked before.
            await OwnHistory(clients[site], site).require_mirrored(place.neighbours())
            services = services_at(place.deployment, site)
            await provision_consumers(
                clients[site],
                site=site,
                origins=tuple(place.deployment.sites),
                subscriptions=[s for service in services for s in service.subscriptions_at(place)],
            )
            await apply_deployment(clients[site], site, original)
            await complete_tables(place)
    finally:
        for client in clients.values():
            await client.close()


async def require_own_history(client: Client, place: Place) -> None:
    """Refuse to go on with a log that lacks what archives, other sites or the site's own ops-db know of it.

    Raises:
        UserError: ``restore_unfinished``, ``history_elsewhere``, ``history_differs`` or ``opsdb_ahead``.
    """
    stream, own = events_stream(place.site), OwnHistory(client, place.site)
    await own.require_restored()
    async with open_archives(place) as stores:
        await own.require_archived(folders_of(place.deployment, stores, stream))
    await own.require_mirrored(place.neighbours())
    async with OpsDbReader.open(place.opsdb_dsn(), most=1) as opsdb:
        await own.require_projected(await opsdb.position(stream))


def services_at(deployment: Deployment, site: str) -> tuple[Service, ...]:
    """The services that a site needs, in the order of the road."""
    return tuple(service for service in load_all() if service.runs_at(deployment, site))


async def apply_deployment(client: Client, site: str, deployment: Deployment) -> None:
    """Put the deployment into the site's log unless the last one there says the same."""
    js = client.jetstream(timeout=10)
    revision = 1
    try:
        last = await js.get_last_msg(events_stream(site), DeploymentApplied.subject(site))
        event = REGISTRY.read(DeploymentApplied.type_name(), last.data or b"")
        if isinstance(event, DeploymentApplied):
            if event.content_id() == to_facts(deployment, event.revision).content_id():
                return
            revision = event.revision + 1
    except NotFoundError:
        pass
    publisher = EventPublisher(client, site=site, service="provision")
    await publisher.publish([to_facts(deployment, revision)])


async def complete_tables(place: Place) -> None:
    """Fill tables that came with this release from the events that there are; the site goes on without if it cannot."""
    try:
        streams = [LogStream(name) for name in place.streams]
        reader = place.settings.opsdb.reader
        done = await complete(place.bus_address(), place.opsdb_writer_dsn(), streams, reader=reader)
    except ChasquiError as error:
        log.warning("opsdb_incomplete", site=place.site, reason=str(error), remedy="chasqui opsdb rebuild")
        return
    if done is not None:
        log.info("opsdb_completed", site=place.site, events=done.events)


async def _mirrors(client: Client, place: Place) -> None:
    if missing := await provision_mirrors(client, neighbours=place.neighbours()):
        raise Retriable(
            "neighbour_unreachable",
            f"the NATS server of {', '.join(missing)} cannot be reached from {place.site}",
            "Start that site, or check the leaf-node link; it is tried again by itself.",
        )


async def _databases(servers: Servers, sites: Sequence[str]) -> Credentials:
    """Roles and databases on the embedded PostgreSQL server, with passwords made anew at each start."""
    if servers.postgres is None:
        return servers.credentials
    writer, reader = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    made: dict[str, str] = {}
    for site in (s for s in servers.embedded_opsdb if s in sites):
        settings = servers.deployment.site(site)
        made |= {writer_password(site): writer, reader_password(site): reader}
        await servers.postgres.ensure_role(settings.opsdb.reader, reader)
        await servers.postgres.ensure_database(settings.database_of(site), settings.opsdb.writer, writer)
    return servers.credentials.joined(Credentials(made))


async def _migrate(place: Place) -> None:
    await migrate(place.opsdb_writer_dsn(), reader=place.settings.opsdb.reader)


async def _buckets(place: Place) -> None:
    for location in place.settings.locations_of(LocationType.LONG_TERM_ARCHIVE):
        async with S3Store(place.s3(location)) as store:
            await store.ensure_bucket()
