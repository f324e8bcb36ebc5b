"""Where a bundle goes next: pure decisions on the deployment."""

from dataclasses import dataclass
from itertools import pairwise

from contracts.states import LocationType, RouteType
from libs.errors import Permanent, Retriable
from libs.sites.models import Deployment, RouteSettings


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a route: the site that receives, and its BUFFER."""

    site: str
    location: str


def sends(deployment: Deployment, site: str) -> bool:
    """Whether bundles leave from a site: it begins or relays a route, and has a BUFFER."""
    leaves = any(site in stops(route)[:-1] for route in deployment.routes.values())
    return leaves and bool(deployment.site(site).locations_of(LocationType.BUFFER))


def stops(route: RouteSettings) -> tuple[str, ...]:
    """The sites of a route, from origin to destination."""
    return (route.origin, *route.via, route.destination)


def next_hop(deployment: Deployment, route_name: str, here: str) -> Hop:
    """The hop that a bundle on a route makes from a site.

    A direct route has one hop, a relay one for each pair of neighbours; both arrive in the next site's first
    active BUFFER. A custom route arrives where it says.

    Args:
        deployment: The routes and sites.
        route_name: The bundle's route.
        here: The site the bundle is at.

    Raises:
        Permanent: ``route_unknown`` when the deployment has no such route; ``route_elsewhere`` when it does
            not leave from here.
        Retriable: ``no_buffer`` when the next site has no active BUFFER.
    """
    route = deployment.routes.get(route_name)
    if route is None:
        raise Permanent(
            "route_unknown",
            f"the deployment has no route {route_name}",
            "Add the route to the deployment again, then send the dead letter again.",
        )
    following = dict(pairwise(stops(route))).get(here)
    if following is None:
        raise Permanent(
            "route_elsewhere",
            f"no hop of the route {route_name} begins at {here}",
            "Correct the route in the deployment, then send the dead letter again.",
        )
    return Hop(following, _arrival(deployment, route, following))


def _arrival(deployment: Deployment, route: RouteSettings, site: str) -> str:
    if route.type is RouteType.CUSTOM and route.to_location is not None:
        return route.to_location
    buffers = deployment.site(site).locations_of(LocationType.BUFFER)
    if not buffers:
        raise Retriable(
            "no_buffer",
            f"the site {site} has no active BUFFER",
            "Activate one in the deployment and restart the site; the bundle waits.",
        )
    return next(iter(buffers))
