"""Deployments for tests of decisions, without any server."""

from collections.abc import Mapping
from pathlib import Path

from contracts.states import LocationType, StorageType
from libs.sites.models import Deployment, DiskLocation, RouteSettings, S3Location, SiteSettings


def disk(kind: LocationType, *, priority: int = 1, active: bool = True) -> DiskLocation:
    """A location that is not looked at."""
    return DiskLocation(type=kind, path=Path("/nowhere"), priority=priority, active=active)


def archive(*, priority: int = 1, active: bool = True) -> S3Location:
    """An archive that is not looked at."""
    return S3Location(
        type=LocationType.LONG_TERM_ARCHIVE,
        storage=StorageType.S3,
        bucket="archive",
        priority=priority,
        active=active,
    )


def deployment(
    sites: Mapping[str, Mapping[str, DiskLocation | S3Location]],
    routes: Mapping[str, RouteSettings] | None = None,
) -> Deployment:
    """Sites by their locations, and routes."""
    return Deployment(
        version=1,
        observatory="Test Observatory",
        telescope="Test Telescope",
        sites={name: SiteSettings(locations=dict(locations)) for name, locations in sites.items()},
        routes=dict(routes or {}),
    )
