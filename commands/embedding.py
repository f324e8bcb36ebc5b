"""The servers of a deployment: embedded ones are started, the addresses of others are taken as they are."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from libs.embedded.keeping import kept_running
from libs.embedded.ports import Choice, PortBook
from libs.embedded.postgres import EmbeddedPostgres
from libs.embedded.servers import EmbeddedServers, NatsPlan
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
    deployment: Deployment, workdir: Workdir, given: Credentials, sites: Sequence[str]
) -> AsyncIterator[Servers]:
    """Start what is `embedded`, start it again whenever it ends, and stop it at the end.

    Args:
        deployment: As loaded.
        workdir: Where embedded servers keep their data and passwords.
        given: Credentials from the environment.
        sites: The sites that run here.

    Raises:
        ChasquiError: A server cannot be started.
    """
    nats_sites, opsdb_sites, s3_locations = embedded_servers(deployment)
    here = [site for site in nats_sites if site in sites]
    plans = [NatsPlan(name=site, leaf_of=deployment.site(site).nats.leaf_of) for site in here]
    servers = EmbeddedServers(
        workdir.servers, nats=plans, postgres={} if opsdb_sites else None, s3=bool(s3_locations)
    )
    async with servers, kept_running(servers.all):
        postgres = servers.postgres if opsdb_sites else None
        endpoints = Endpoints(
            nats={site: server.url for site, server in servers.nats.items()},
            opsdb={s: OpsDbEndpoint(host=postgres.host, port=postgres.port) for s in opsdb_sites if postgres},
            s3=dict.fromkeys(s3_locations, servers.s3.endpoint) if s3_locations else {},
            http={site: _http(deployment, workdir, site) for site in sites},
        )
        secrets = {nats_password(site): server.password for site, server in servers.nats.items()}
        for location in s3_locations:
            secrets |= {
                access_key(location): servers.s3.access_key,
                secret_key(location): servers.s3.secret_key,
            }
        resolved = _with_users(
            resolve(deployment, endpoints), {site: server.user for site, server in servers.nats.items()}
        )
        yield Servers(resolved, given.joined(Credentials(secrets)), postgres, opsdb_sites)


def _http(deployment: Deployment, workdir: Workdir, site: str) -> HttpEndpoint:
    """The ports of the file, or free ones: the same as last time if they still are."""
    http = deployment.site(site).http
    free = PortBook(workdir.servers / f"http-{site}.json").choose(("filing", "gateway"), Choice.REMEMBERED)
    return HttpEndpoint(
        filing_port=http.filing_port or free["filing"], gateway_port=http.gateway_port or free["gateway"]
    )


def _with_users(deployment: Deployment, users: dict[str, str]) -> Deployment:
    sites = {
        name: settings.model_copy(
            update={"nats": settings.nats.model_copy(update={"user": users.get(name, settings.nats.user)})}
        )
        for name, settings in deployment.sites.items()
    }
    return deployment.model_copy(update={"sites": sites})
