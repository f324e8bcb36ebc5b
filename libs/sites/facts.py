"""The deployment as an event: what the log, and so every table and page, is told about it."""

from contracts.deployment import (
    DeploymentApplied,
    InstrumentFact,
    LocationFact,
    ModuleFact,
    RouteFact,
    SiteFact,
)
from libs.sites.models import Deployment, DiskLocation, InstrumentSettings, Location


def to_facts(deployment: Deployment, revision: int) -> DeploymentApplied:
    """What a deployment says, sorted by name: the order of the file is no fact.

    Two deployments have equal facts when `content_id()` of these is equal. Addresses are told as they stand:
    an unresolved deployment says ``embedded/<bucket>``, which does not change from one start to the next.

    Args:
        deployment: With absolute paths.
        revision: Counts the deployments applied at a site from 1.
    """
    locations = sorted(deployment.locations(), key=lambda found: found[1])
    return DeploymentApplied(
        revision=revision,
        observatory=deployment.observatory,
        telescope=deployment.telescope,
        sites=tuple(SiteFact(name=n, description=s.description) for n, s in sorted(deployment.sites.items())),
        locations=tuple(_location(site, name, location) for site, name, location in locations),
        instruments=tuple(_instrument(deployment, n, i) for n, i in sorted(deployment.instruments.items())),
        routes=tuple(
            RouteFact(name=n, type=r.type, origin=r.origin, destination=r.destination, via=r.via)
            for n, r in sorted(deployment.routes.items())
        ),
    )


def _location(site: str, name: str, location: Location) -> LocationFact:
    return LocationFact(
        name=name,
        site=site,
        type=location.type,
        storage=location.storage,
        address=_address(location),
        priority=location.priority,
        active=location.active,
    )


def _address(location: Location) -> str:
    if isinstance(location, DiskLocation):
        return str(location.path)
    return f"{location.endpoint.rstrip('/')}/{location.bucket}"


def _instrument(deployment: Deployment, name: str, instrument: InstrumentSettings) -> InstrumentFact:
    return InstrumentFact(
        name=name,
        site=instrument.site,
        source=instrument.source,
        folder=deployment.instrument_folder(name),
        available=instrument.available,
        package_limit=int(instrument.package_limit),
        modules=tuple(ModuleFact(name=module) for module in instrument.modules),
    )
