"""Which archives keep which streams."""

from collections.abc import Mapping

from contracts.states import LocationType
from contracts.subjects import events_stream
from libs.eventlog.exporting import Behind
from libs.eventlog.folder import LogFolder
from libs.eventlog.naming import ChainNames
from libs.sites.models import Deployment, S3Location, SiteSettings
from libs.storage.s3 import S3Store


def archives_at(settings: SiteSettings) -> dict[str, S3Location]:
    """The archives of a site that its log is exported to, the one to use first first."""
    archives = settings.locations_of(LocationType.LONG_TERM_ARCHIVE)
    return {name: archive for name, archive in archives.items() if isinstance(archive, S3Location)}


def folder_of(store: S3Store, location: str, settings: S3Location, stream: str) -> LogFolder:
    """The chain of a stream in an archive."""
    return LogFolder(store, ChainNames(settings.prefix, settings.log.folder, stream), location)


def folders_of(deployment: Deployment, stores: Mapping[str, S3Store], stream: str) -> list[LogFolder]:
    """The chains of a stream in every archive that can be read here, inactive ones included."""
    return [
        folder_of(stores[name], name, settings, stream)
        for _, name, settings in deployment.locations()
        if isinstance(settings, S3Location) and name in stores
    ]


def behind_of(site: str, stream: str) -> Behind:
    """What it means at a site when a stream ends before its chain does."""
    return Behind.REFUSED if stream == events_stream(site) else Behind.AWAITED
