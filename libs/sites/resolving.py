"""A deployment in which every ``embedded`` server has become an address."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import Field

from contracts.base import Name
from libs.errors import UserError
from libs.sites.models import (
    EMBEDDED,
    Deployment,
    HttpSettings,
    Location,
    NatsSettings,
    OpsDbSettings,
    S3Location,
    SiteSettings,
)
from libs.sites.settings import Settings

T = TypeVar("T")


class OpsDbEndpoint(Settings):
    """Where an embedded PostgreSQL server listens."""

    host: str
    port: int = Field(ge=1, le=65535)


class HttpEndpoint(Settings):
    """The ports a site's HTTP services really listen on."""

    filing_port: int = Field(ge=1, le=65535)
    gateway_port: int = Field(ge=1, le=65535)


class Endpoints(Settings):
    """Where the servers that were started listen.

    Attributes:
        nats: URLs (``nats://127.0.0.1:4222``) by site, without user and password.
        opsdb: By site.
        s3: URLs by location.
        http: By site; only where the ports were left to the machine.
    """

    nats: dict[Name, str] = Field(default_factory=dict)
    opsdb: dict[Name, OpsDbEndpoint] = Field(default_factory=dict)
    s3: dict[Name, str] = Field(default_factory=dict)
    http: dict[Name, HttpEndpoint] = Field(default_factory=dict)


def resolve(deployment: Deployment, endpoints: Endpoints) -> Deployment:
    """Replace every ``embedded``, and fill in domains and database names.

    Addresses that are real already stay. `leaf_of` stays, too: it says who hears whom.

    Raises:
        UserError: `endpoint_missing`: an embedded server has no address in `endpoints`.
    """
    sites = {name: _site(name, settings, endpoints) for name, settings in deployment.sites.items()}
    return deployment.model_copy(update={"sites": sites})


def embedded_servers(deployment: Deployment) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """What `chasqui up` has to start: sites' NATS servers, sites' ops-dbs, S3 locations."""
    sites = deployment.sites.items()
    return (
        tuple(name for name, site in sites if site.nats.url == EMBEDDED),
        tuple(name for name, site in sites if site.opsdb.host == EMBEDDED),
        tuple(
            name
            for _, name, location in deployment.locations()
            if isinstance(location, S3Location) and location.endpoint == EMBEDDED
        ),
    )


def _site(name: str, settings: SiteSettings, endpoints: Endpoints) -> SiteSettings:
    return settings.model_copy(
        update={
            "nats": _nats(name, settings, endpoints),
            "opsdb": _opsdb(name, settings, endpoints),
            "http": _http(name, settings.http, endpoints),
            "locations": {n: _location(n, x, endpoints) for n, x in settings.locations.items()},
        }
    )


def _nats(site: str, settings: SiteSettings, endpoints: Endpoints) -> NatsSettings:
    found = {"domain": settings.domain_of(site)}
    if settings.nats.url == EMBEDDED:
        found["url"] = _known(endpoints.nats, site, "NATS server")
    return settings.nats.model_copy(update=found)


def _opsdb(site: str, settings: SiteSettings, endpoints: Endpoints) -> OpsDbSettings:
    found: dict[str, str | int] = {"database": settings.database_of(site)}
    if settings.opsdb.host == EMBEDDED:
        address = _known(endpoints.opsdb, site, "ops-db")
        found |= {"host": address.host, "port": address.port}
    return settings.opsdb.model_copy(update=found)


def _http(site: str, settings: HttpSettings, endpoints: Endpoints) -> HttpSettings:
    if site not in endpoints.http:
        return settings
    return settings.model_copy(update=endpoints.http[site].model_dump())


def _location(name: str, location: Location, endpoints: Endpoints) -> Location:
    if not isinstance(location, S3Location) or location.endpoint != EMBEDDED:
        return location
    return location.model_copy(update={"endpoint": _known(endpoints.s3, name, "S3 server")})


def _known(addresses: Mapping[str, T], name: str, server: str) -> T:
    if name in addresses:
        return addresses[name]
    reason = f"The embedded {server} of {name} has no address."
    raise UserError("endpoint_missing", reason, "Start it with chasqui up, or give the address of your own.")
