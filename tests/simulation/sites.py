"""The observatories that histories play at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import cache
from pathlib import Path

from contracts.states import LocationType, RouteType, StorageType
from libs.service.service import Place
from libs.sites.credentials import Credentials, access_key, secret_key
from libs.sites.models import (
    Deployment,
    DiskLocation,
    InstrumentSettings,
    NatsSettings,
    RouteSettings,
    S3Location,
    ScanSettings,
    SiteSettings,
)
from libs.sites.retention import Retention
from libs.sites.scrubs import ScrubSettings
from libs.sites.units import Size
from tests.simulation.opsdb.database import SCHEME
from tests.simulation.storage.paths import root_of

TELESCOPE = "chile"
RELAY = "panama"
CENTRE = "cologne"
SOURCE = "chile-source"
PROCESSING = "cologne-processing"
INSTRUMENT = "camera"
MODULES = ("main", "guide")


class Layout(Enum):
    """What an observatory is made of."""

    PLAIN = "plain"
    """A telescope and a data centre with one archive, whose keys both have."""
    TWO_ARCHIVES = "two_archives"
    """The centre has two archives, and nothing goes before both have it."""
    RELAY = "relay"
    """Packages pass a site on the way; the telescope has no keys of the archive."""
    ALONE = "alone"
    """The instruments stand where the archive is: nothing travels."""

    @property
    def share(self) -> int:
        """How often it is drawn, beside the others: what is played quickly is played often."""
        return {Layout.PLAIN: 3, Layout.ALONE: 4}.get(self, 2)


@dataclass(frozen=True, slots=True)
class SimulatedPlace(Place):
    """Where an instance runs; its servers are simulated, and so are their addresses."""

    def opsdb_dsn(self) -> str:
        """As `Place.opsdb_dsn`."""
        return f"{SCHEME}{self.site}"

    def opsdb_writer_dsn(self) -> str:
        """As `Place.opsdb_writer_dsn`."""
        return f"{SCHEME}{self.site}"


@cache
def deployment_of(layout: Layout) -> Deployment:
    """The deployment of an observatory."""
    if layout is Layout.ALONE:
        locations = {**_telescope(), **_centre(archives=1)}
        sites = {TELESCOPE: _site(locations)}
        return _deployment(sites, {})
    sites = {TELESCOPE: _site(_telescope())}
    via = (RELAY,) if layout is Layout.RELAY else ()
    if via:
        sites[RELAY] = _site({f"{RELAY}-buffer": _disk(f"{RELAY}-buffer", LocationType.BUFFER)})
    sites[CENTRE] = _site(_centre(archives=2 if layout is Layout.TWO_ARCHIVES else 1))
    copies = 2 if layout is Layout.TWO_ARCHIVES else 1
    sites = {name: _wanting(site, copies) for name, site in sites.items()}
    route = RouteSettings(
        origin=TELESCOPE,
        destination=CENTRE,
        type=RouteType.RELAY if via else RouteType.DIRECT,
        via=via,
        target_size=Size(50_000),
        longest_wait=timedelta(seconds=25),
    )
    return _deployment(sites, {"road": route})


@cache
def places_of(layout: Layout) -> Mapping[str, SimulatedPlace]:
    """The place of each site."""
    deployment = deployment_of(layout)
    archives = [name for _, name, one in deployment.locations() if isinstance(one, S3Location)]
    keys = {key: "key" for name in archives for key in (access_key(name), secret_key(name))}
    everything, nothing = Credentials(keys), Credentials({})
    keyless = {TELESCOPE} if layout is Layout.RELAY else set()
    return {
        site: SimulatedPlace(site, deployment, nothing if site in keyless else everything, Path("/nowhere"))
        for site in deployment.sites
    }


def _deployment(sites: dict[str, SiteSettings], routes: dict[str, RouteSettings]) -> Deployment:
    camera = InstrumentSettings(
        site=TELESCOPE, source=SOURCE, modules=MODULES, package_limit=Size(30_000), max_files=2
    )
    return Deployment(
        version=1,
        observatory="Simulated Observatory",
        telescope="Simulated Telescope",
        sites={
            name: site.model_copy(update={"nats": NatsSettings(url=f"nats://{name}")})
            for name, site in sites.items()
        },
        instruments={INSTRUMENT: camera},
        routes=routes,
    )


def _site(locations: dict[str, DiskLocation | S3Location]) -> SiteSettings:
    scan = ScanSettings(
        quiet=timedelta(seconds=2),
        sweep=timedelta(seconds=20),
        missing_after=timedelta(seconds=30),
        unfiled_after=timedelta(seconds=60),
    )
    return SiteSettings(scan=scan, locations=locations)


def _telescope() -> dict[str, DiskLocation | S3Location]:
    return {
        SOURCE: _disk(SOURCE, LocationType.SOURCE),
        f"{TELESCOPE}-buffer": _disk(f"{TELESCOPE}-buffer", LocationType.BUFFER),
    }


def _centre(*, archives: int) -> dict[str, DiskLocation | S3Location]:
    found: dict[str, DiskLocation | S3Location] = {
        f"{CENTRE}-buffer": _disk(f"{CENTRE}-buffer", LocationType.BUFFER, priority=2),
        PROCESSING: _disk(PROCESSING, LocationType.PROCESSING),
    }
    for number in range(1, archives + 1):
        name = f"{CENTRE}-archive-{number}"
        found[name] = S3Location(
            type=LocationType.LONG_TERM_ARCHIVE,
            storage=StorageType.S3,
            endpoint="http://archive",
            bucket=name,
            priority=number,
            scrub=ScrubSettings(active=archives > 1, period=timedelta(seconds=100)),
        )
    return found


def _disk(name: str, kind: LocationType, priority: int = 1) -> DiskLocation:
    retention = Retention(keep_for=timedelta(seconds=8))
    plain = DiskLocation(type=kind, path=Path("/nowhere"), priority=priority, retention=retention)
    return plain.model_copy(update={"path": root_of(name)})


def _wanting(site: SiteSettings, copies: int) -> SiteSettings:
    """The same site, where nothing goes before so many archive copies are proven."""
    locations = {
        name: one.model_copy(
            update={"retention": one.retention.model_copy(update={"archive_copies": copies})}
        )
        for name, one in site.locations.items()
    }
    return site.model_copy(update={"locations": locations})
