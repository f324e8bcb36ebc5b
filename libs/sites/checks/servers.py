"""Rules of servers: addresses, embedded and real ones side by side, leaf nodes, ports and databases."""

from collections.abc import Iterator
from itertools import combinations
from urllib.parse import urlsplit

from contracts.subjects import DEAD_ROOT, REQUEST_ROOT
from libs.sites.checks.routes import hops
from libs.sites.findings import Issue, KeyPath, Part, error
from libs.sites.models import EMBEDDED, Deployment, S3Location

RESERVED = (DEAD_ROOT, REQUEST_ROOT)
"""Subjects begin with these where others have a site's name after ``chasqui``."""
LONGEST_DATABASE = 63
"""PostgreSQL cuts longer names."""
_HOSTS_OF_ANY_MACHINE = ("127.0.0.1", "localhost", "::1", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
_NATS_SCHEMES = ("nats", "tls", "ws", "wss")
_S3_SCHEMES = ("http", "https")


def names_are_free(deployment: Deployment) -> Iterator[Issue]:
    """No site is called like a root of our subjects."""
    for site in deployment.sites:
        if site in RESERVED:
            reason = f"{site} is a word of the messages' subjects"
            yield error(("sites", site), "name_reserved", reason, "Give the site another name.", Part.KEY)


def addresses_are_whole(deployment: Deployment) -> Iterator[Issue]:
    """Every address says how and where, and holds no secret."""
    for site, settings in deployment.sites.items():
        yield from _address(("sites", site, "nats", "url"), settings.nats.url, _NATS_SCHEMES)
    for site, name, location in deployment.locations():
        if isinstance(location, S3Location):
            path = ("sites", site, "locations", name, "endpoint")
            yield from _address(path, location.endpoint, _S3_SCHEMES)


def _address(path: KeyPath, address: str, schemes: tuple[str, ...]) -> Iterator[Issue]:
    if address == EMBEDDED:
        return
    for one in address.split(","):
        parts = _split(one.strip())
        if parts is None or parts[0] not in schemes:
            remedy = f"Write embedded, or for example {schemes[0]}://host:port."
            yield error(path, "address_invalid", "this is no address of a server", remedy)
        elif parts[1]:
            remedy = "Take user and password out; passwords come from the environment."
            yield error(path, "secret_in_file", "the address contains a user or password", remedy)


def _split(address: str) -> tuple[str, bool] | None:
    """Scheme, and whether there is a user or password; None if it is no address."""
    try:
        parts = urlsplit(address)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return (parts.scheme, "@" in parts.netloc) if whole else None


def database_hosts_are_plain(deployment: Deployment) -> Iterator[Issue]:
    """The host of an ops-db is a host, not a connection string."""
    for site, settings in deployment.sites.items():
        host = settings.opsdb.host
        if not host or any(sign in host for sign in "/@ ?=,"):
            remedy = "Write embedded, or a name or number such as db.example.org; port: has a key of its own."
            yield error(("sites", site, "opsdb", "host"), "host_invalid", "this is no host", remedy)


def databases_are_apart(deployment: Deployment) -> Iterator[Issue]:
    """Every site projects into a database of its own."""
    taken: dict[tuple[str, int, str], str] = {}
    for site, settings in deployment.sites.items():
        name = settings.database_of(site)
        path = ("sites", site, "opsdb", "database")
        if len(name.encode()) > LONGEST_DATABASE:
            reason = f"{name} is longer than {LONGEST_DATABASE} bytes"
            yield error(path, "database_name_long", reason, "Write a shorter database: here.")
        if settings.opsdb.host == EMBEDDED:
            continue
        first = taken.setdefault((settings.opsdb.host, settings.opsdb.port, name), site)
        if first != site:
            reason = f"site {first} uses the same database"
            yield error(path, "database_shared", reason, "Give each site a database of its own.")


def roles_are_two(deployment: Deployment) -> Iterator[Issue]:
    """Who reads the ops-db cannot write it."""
    for site, settings in deployment.sites.items():
        if settings.opsdb.writer == settings.opsdb.reader:
            path = ("sites", site, "opsdb", "reader")
            reason = f"{settings.opsdb.reader} writes the ops-db, too"
            yield error(path, "roles_equal", reason, "Name a role of its own for reading.")


def ports_are_free(deployment: Deployment) -> Iterator[Issue]:
    """No two HTTP services of one machine listen on one port."""
    taken: dict[tuple[str, str, int], str] = {}
    for site, settings in deployment.sites.items():
        http = settings.http
        for key, port in (("filing_port", http.filing_port), ("gateway_port", http.gateway_port)):
            place = (_machine(deployment, site), http.host, port)
            first = taken.setdefault(place, f"{site}.{key}")
            if port and first != f"{site}.{key}":
                reason = f"{first} is {http.host}:{port}, too"
                remedy = "Give each its own port, or 0 for a free one."
                yield error(("sites", site, "http", key), "port_taken", reason, remedy)


def _machine(deployment: Deployment, site: str) -> str:
    """Equal for sites that are known to be on one machine: their servers are embedded, or their host is."""
    settings = deployment.sites[site]
    if settings.nats.url == EMBEDDED:
        return EMBEDDED
    return site if settings.http.host in _HOSTS_OF_ANY_MACHINE else settings.http.host


def leaves_hang_on_hubs(deployment: Deployment) -> Iterator[Issue]:
    """A leaf node is an embedded server that connects to another site's embedded server."""
    for site, settings in deployment.sites.items():
        hub, path = settings.nats.leaf_of, ("sites", site, "nats", "leaf_of")
        if hub is None:
            continue
        if hub not in deployment.sites:
            remedy = f"Write one of: {', '.join(s for s in deployment.sites if s != site)}."
            yield error(path, "site_unknown", f"there is no site {hub}", remedy)
        elif settings.nats.url != EMBEDDED or deployment.sites[hub].nats.url != EMBEDDED:
            reason = "only an embedded server can be made a leaf node, and only of an embedded one"
            remedy = "Leave leaf_of out, and connect your own servers in their own configuration."
            yield error(path, "leaf_not_embedded", reason, remedy)
        if site in _hubs_above(deployment, site):
            reason = f"{site} is a leaf of itself" if hub == site else f"the leaf nodes lead back to {site}"
            yield error(path, "leaf_circular", reason, "Let one site be the hub, without leaf_of.")


def domains_fit(deployment: Deployment) -> Iterator[Issue]:
    """Sites on one NATS server share its JetStream domain; embedded servers have one each."""
    for (other, one), (site, two) in combinations(deployment.sites.items(), 2):
        path = ("sites", site, "nats", "domain")
        same_domain = one.domain_of(other) == two.domain_of(site)
        if one.nats.url == two.nats.url == EMBEDDED and same_domain:
            reason = f"{other} and {site} have servers of their own in one domain"
            yield error(path, "domain_shared", reason, "Leave domain out, or name different ones.")
        if one.nats.url == two.nats.url != EMBEDDED and not same_domain:
            reason = f"{other} is on the same server, with the domain {one.domain_of(other)}"
            yield error(path, "domain_differs", reason, "Write the server's domain: at both sites.")


def hops_are_connected(deployment: Deployment) -> Iterator[Issue]:
    """The events of a hop's ends reach one another, as far as we start the servers ourselves."""
    for name, route in deployment.routes.items():
        for one, two in hops(route):
            if {one, two} <= set(deployment.sites) and not _connected(deployment, one, two):
                reason = f"the NATS servers of {one} and {two} are not connected"
                remedy = (
                    f"Write leaf_of: {two} at {one} (both embedded), or take servers of your own for both."
                )
                yield error(("routes", name), "servers_apart", reason, remedy, Part.KEY)


def _connected(deployment: Deployment, one: str, two: str) -> bool:
    embedded = [deployment.sites[site].nats.url == EMBEDDED for site in (one, two)]
    if not any(embedded):
        return True
    return all(embedded) and _top(deployment, one) == _top(deployment, two)


def _top(deployment: Deployment, site: str) -> str:
    return (site, *_hubs_above(deployment, site))[-1]


def _hubs_above(deployment: Deployment, site: str) -> tuple[str, ...]:
    """The hubs over a site, nearest first, up to the top or to the first repetition."""
    above: list[str] = []
    here = deployment.sites[site].nats.leaf_of
    while here in deployment.sites and here not in above:
        above.append(here)
        here = deployment.sites[here].nats.leaf_of
    return tuple(above)
