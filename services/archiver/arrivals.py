"""Which packages are to be archived here, and where their copies are: a pure decision."""

from dataclasses import dataclass

from contracts.packages import PackageRecord, PackageSealed, PackageVerified
from contracts.states import LocationType
from libs.sites.models import Deployment, S3Location, SiteSettings


@dataclass(frozen=True, slots=True)
class Arrival:
    """A package and its copy in one of the site's BUFFERs."""

    package: PackageRecord
    buffer: str
    path: str


def arrival_of(event: PackageVerified | PackageSealed, deployment: Deployment, site: str) -> Arrival | None:
    """What is to be archived because of an event at `site`; None if nothing is.

    A sealed package is archived where it was sealed only if no route leads away: otherwise the packages of
    this site travel to their archive.
    """
    match event:
        case PackageVerified(package=package, location=buffer, path=path):
            wanted = True
        case PackageSealed(package=package, buffer=buffer, path=path):
            wanted = keeps_its_own(deployment, site)
    return Arrival(package, buffer, path) if wanted and buffer in deployment.site(site).locations else None


def archives_of(settings: SiteSettings) -> dict[str, S3Location]:
    """The active archives of a site, the one to use first first."""
    archives = settings.locations_of(LocationType.LONG_TERM_ARCHIVE)
    return {name: archive for name, archive in archives.items() if isinstance(archive, S3Location)}


def holdings_of(settings: SiteSettings) -> dict[str, S3Location]:
    """Every archive of a site, inactive ones included."""
    return {name: one for name, one in settings.locations.items() if isinstance(one, S3Location)}


def keeps_its_own(deployment: Deployment, site: str) -> bool:
    """Whether a site's instruments write where the archive is, and nothing travels."""
    settings = deployment.site(site)
    sources = settings.locations_of(LocationType.SOURCE)
    return bool(sources) and bool(archives_of(settings)) and not deployment.routes_from(site)
