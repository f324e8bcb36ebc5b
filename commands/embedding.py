"""The servers of a deployment: embedded ones are started, the addresses of others are taken as they are."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from libs.embedded.ports import free_port

from libs.embedded import EmbeddedNats, EmbeddedPostgres, EmbeddedS3
from libs.sites.credentials import Credentials, access_key, nats_password, secret_key
from libs.sites.models import Deployment
from libs.sites.resolving import Endpoints, HttpEndpoint, OpsDbEndpoint, embedded_servers, resolve
from libs.sites.workdir import Workdir


@dataclass(frozen=True, slots=True)
class Servers:
    """What the services of a deployment connect to.

    Attributes:
        deployment: With real addresses.
        credentials: Of embedded servers, beside those that were given.
        postgres: The embedded PostgreSQL server, whose roles and databases are ours to make; None if there is none.
        embedded_opsdb: The sites whose ops-db it keeps.
    """

    deployment: Deployment
    credentials: Credentials
    postgres: EmbeddedPostgres | None
    embedded_opsdb: tuple[str, ...]


@asynccontextmanager
async def servers_of(
    deployment: Deployment, workdir: Workdir, given: Credentials, sites: tuple[str, ...]
) -> AsyncIterator[Servers]:
    """Start what is `embedded`, and stop it at the end.

    Args:
        deployment: As loaded.
        workdir: Where embedded servers keep their data and passwords.
        given: Credentials from the environment.
        sites: The sites that run here.

    Raises:
        UserError: A server cannot be started.
    """
    nats_sites, opsdb_sites, s3_locations = embedded_servers(deployment)
    async with AsyncExitStack() as stack:
        nats = await _start_nats(stack, deployment, workdir, tuple(s for s in nats_sites if s in sites))
        postgres = s3 = None
        if opsdb_sites:
            postgres = await stack.enter_async_context(EmbeddedPostgres(workdir.servers / "postgres"))
        if s3_locations:
            s3 = await stack.enter_async_context(EmbeddedS3(workdir.servers / "s3"))
        endpoints = Endpoints(
            nats={site: server.url for site, server in nats.items()},
            opsdb={s: OpsDbEndpoint(host=postgres.host, port=postgres.port) for s in opsdb_sites if postgres},
            s3={location: s3.endpoint for location in s3_locations if s3},
            http={site: _http(deployment, site) for site in sites},
        )
        secrets = {nats_password(site): server.password for site, server in nats.items()}
        for location in s3_locations:
            if s3 is not None:
                secrets |= {access_key(location): s3.access_key, secret_key(location): s3.secret_key}
        resolved = resolve(deployment, endpoints)
        resolved = _with_users(resolved, {site: server.user for site, server in nats.items()})
        yield Servers(resolved, given.joined(Credentials(secrets)), postgres, opsdb_sites)


async def _start_nats(
    stack: AsyncExitStack, deployment: Deployment, workdir: Workdir, sites: tuple[str, ...]
) -> dict[str, EmbeddedNats]:
    """Start hubs before their leaves."""
    started: dict[str, EmbeddedNats] = {}
    hubs = {deployment.site(site).nats.leaf_of for site in sites}
    waiting = list(sites)
    while waiting:
        ready = [s for s in waiting if deployment.site(s).nats.leaf_of not in waiting]
        for site in ready:
            hub = deployment.site(site).nats.leaf_of
            server = EmbeddedNats(
                workdir.servers / f"nats-{site}",
                name=site,
                domain=deployment.site(site).domain_of(site),
                accept_leaves=site in hubs,
                leaf_of=started[hub].leaf_remote if hub else None,
            )
            started[site] = await stack.enter_async_context(server)
            waiting.remove(site)
    return started


def _http(deployment: Deployment, site: str) -> HttpEndpoint:
    http = deployment.site(site).http
    return HttpEndpoint(
        filing_port=http.filing_port or free_port(), gateway_port=http.gateway_port or free_port()
    )


def _with_users(deployment: Deployment, users: dict[str, str]) -> Deployment:
    sites = {
        name: settings.model_copy(
            update={"nats": settings.nats.model_copy(update={"user": users.get(name, settings.nats.user)})}
        )
        for name, settings in deployment.sites.items()
    }
    return deployment.model_copy(update={"sites": sites})
