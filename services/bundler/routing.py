"""Which way packages go: pure decisions on the deployment."""

from dataclasses import dataclass

from contracts.states import LocationType
from libs.sites.models import Deployment, RouteSettings


@dataclass(frozen=True, slots=True)
class Way:
    """A route with its name."""

    name: str
    route: RouteSettings


def way_to_archive(deployment: Deployment, site: str) -> Way | None:
    """The one way packages sealed at `site` take: to the first archive that a route leads to.

    First by the archive's priority, then by the number of relays, then by name; None if no route leads from
    the site to an active LONG_TERM_ARCHIVE.
    """
    ranked = [
        (priority, len(route.via), name)
        for name, route in deployment.routes_from(site).items()
        if (priority := _archive_priority(deployment, route.destination)) is not None
    ]
    if not ranked:
        return None
    name = min(ranked)[-1]
    return Way(name, deployment.routes[name])


def way_again(
    deployment: Deployment, site: str, destination: str, *, before: str | None = None
) -> Way | None:
    """The way from a site to one further down the same route, once more; None if no route has both.

    Args:
        deployment: The routes.
        site: The origin or a relay of the route.
        destination: Its end, or a relay behind `site`.
        before: The route that was taken before; it is taken again as long as there is such a one.
    """
    ranked = [
        (name != before, route.destination != destination, route.origin != site, len(route.via), name)
        for name, route in deployment.routes.items()
        if destination in _behind(route, site)
    ]
    if not ranked:
        return None
    name = min(ranked)[-1]
    return Way(name, deployment.routes[name])


def _behind(route: RouteSettings, site: str) -> tuple[str, ...]:
    """The sites that follow one on a route."""
    stops = (route.origin, *route.via, route.destination)
    return stops[stops.index(site) + 1 :] if site in stops else ()


def sends(deployment: Deployment, site: str) -> bool:
    """Whether any route begins at the site or passes it."""
    return any(site in (route.origin, *route.via) for route in deployment.routes.values())


def _archive_priority(deployment: Deployment, site: str) -> int | None:
    archives = deployment.site(site).locations_of(LocationType.LONG_TERM_ARCHIVE)
    return min((archive.priority for archive in archives.values()), default=None)
