"""Rules of routes: where they begin and end, what they pass, and what they carry at once."""

from collections.abc import Iterator
from itertools import pairwise

from contracts.states import LocationType, RouteType
from libs.sites.findings import Issue, KeyPath, Part, error, warning
from libs.sites.models import Deployment, DiskLocation, RouteSettings


def ends_exist(deployment: Deployment) -> Iterator[Issue]:
    """A route leads from one site to another."""
    for name, route in deployment.routes.items():
        for key, site in (("origin", route.origin), ("destination", route.destination)):
            yield from _site_exists(deployment, ("routes", name, key), site)
        if route.origin == route.destination:
            reason = f"the route begins and ends at {route.origin}"
            yield error(
                ("routes", name, "destination"), "route_circular", reason, "Name two different sites."
            )


def ends_have_buffers(deployment: Deployment) -> Iterator[Issue]:
    """Bundles leave from a BUFFER and arrive in one."""
    for name, route in deployment.routes.items():
        for key, site in (("origin", route.origin), ("destination", route.destination)):
            yield from _site_has_buffer(deployment, ("routes", name, key), site)


def relays_lead_through(deployment: Deployment) -> Iterator[Issue]:
    """A relay passes sites between its ends, each once and with a BUFFER; other routes pass none."""
    for name, route in deployment.routes.items():
        path = ("routes", name, "via")
        if route.type is RouteType.RELAY and not route.via:
            remedy = "Name the sites between, or write type: direct."
            yield error(path, "via_missing", "a relay needs the sites it leads through", remedy)
        if route.type is not RouteType.RELAY and route.via:
            remedy = "Write type: relay, or leave via out."
            yield error(path, "via_unused", f"a {route.type} route leads through no site", remedy)
        for index, site in enumerate(route.via):
            yield from _site_exists(deployment, (*path, index), site)
            yield from _site_has_buffer(deployment, (*path, index), site)
            if site in (route.origin, route.destination, *route.via[:index]):
                reason = f"the route passes {site} twice"
                yield error((*path, index), "via_twice", reason, "Name each site once.")


def customs_name_locations(deployment: Deployment) -> Iterator[Issue]:
    """A custom route names a BUFFER at either end; other routes choose theirs by priority."""
    for name, route in deployment.routes.items():
        ends = (
            ("from_location", route.from_location, route.origin),
            ("to_location", route.to_location, route.destination),
        )
        for key, location, site in ends:
            path = ("routes", name, key)
            if route.type is RouteType.CUSTOM:
                yield from _is_buffer_at(deployment, path, location, site)
            elif location is not None:
                remedy = f"Write type: custom, or leave {key} out."
                yield error(path, "location_unused", f"a {route.type} route names no locations", remedy)


def _is_buffer_at(deployment: Deployment, path: KeyPath, name: str | None, site: str) -> Iterator[Issue]:
    known = deployment.sites.get(site)
    if known is None:
        return
    remedy = (
        f"Write one of the buffers of {site}: {', '.join(known.locations_of(LocationType.BUFFER)) or 'none'}."
    )
    if name is None:
        yield error(path, "custom_incomplete", f"a custom route needs {path[-1]}", remedy)
    elif name not in known.locations:
        yield error(path, "location_unknown", f"there is no location {name} at {site}", remedy)
    else:
        location = known.locations[name]
        if location.type is not LocationType.BUFFER or not isinstance(location, DiskLocation):
            yield error(path, "custom_wrong_type", f"{name} is a {location.type} location", remedy)
        elif not location.active:
            yield error(path, "location_inactive", f"{name} is not active", remedy)


def routes_stand_once(deployment: Deployment) -> Iterator[Issue]:
    """Between two sites one route is enough: which of two a bundle takes would be chance."""
    ways: dict[tuple[str, str], str] = {}
    for name, route in deployment.routes.items():
        first = ways.setdefault((route.origin, route.destination), name)
        if first != name:
            reason = f"{first} leads from {route.origin} to {route.destination}, too"
            yield warning(("routes", name), "route_twice", reason, "Keep one of them.", Part.KEY)


def targets_hold_a_package(deployment: Deployment) -> Iterator[Issue]:
    """A bundle's wanted size is not below that of the packages it is made of."""
    for name, route in deployment.routes.items():
        limits = [i.package_limit for i in deployment.instruments_at(route.origin).values()]
        if limits and route.target_size < max(limits):
            reason = (
                f"bundles of {int(route.target_size)} bytes are smaller than one package of {max(limits)}"
            )
            remedy = "Raise target_size, or lower the instruments' package_limit."
            yield warning(("routes", name, "target_size"), "target_small", reason, remedy)


def sizes_are_positive(deployment: Deployment) -> Iterator[Issue]:
    """A route carries something, at some speed."""
    for name, route in deployment.routes.items():
        for key, size in (("target_size", route.target_size), ("rate_limit", route.rate_limit)):
            if size is not None and size <= 0:
                reason = f"nothing fits into {int(size)} bytes"
                remedy = (
                    "Write a size such as 10 TB."
                    if key == "target_size"
                    else "Leave rate_limit out for none."
                )
                yield error(("routes", name, key), "size_not_positive", reason, remedy)


def hops(route: RouteSettings) -> tuple[tuple[str, str], ...]:
    """A route's hops as pairs of sites."""
    stops = (route.origin, *route.via, route.destination)
    return tuple(pairwise(stops))


def _site_exists(deployment: Deployment, path: KeyPath, site: str) -> Iterator[Issue]:
    if site not in deployment.sites:
        remedy = f"Write one of: {', '.join(deployment.sites)}."
        yield error(path, "site_unknown", f"there is no site {site}", remedy)


def _site_has_buffer(deployment: Deployment, path: KeyPath, site: str) -> Iterator[Issue]:
    known = deployment.sites.get(site)
    if known is not None and not known.locations_of(LocationType.BUFFER):
        remedy = f"Add an active location of type buffer to site {site}."
        yield error(path, "route_without_buffer", f"the site {site} has no active buffer", remedy)
