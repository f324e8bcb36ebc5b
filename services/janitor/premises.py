"""What of a deployment decides about the copies at one site."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from contracts.states import LocationType
from contracts.subjects import events_stream
from libs.service.archives import archive_sites
from libs.service.service import Place
from libs.sites.models import Deployment, DiskLocation


@dataclass(frozen=True, slots=True)
class Premises:
    """A site as the janitor sees it; inactive locations included: what is there goes all the same.

    Attributes:
        stream: The site's own.
        sources: SOURCE locations.
        buffers: BUFFER locations.
        processing: PROCESSING locations.
        feeds: The site's active archives.
        archives: The site of each archive location of the deployment.
        asked: The archives that can be asked from here.
        sends: Whether packages that are sealed here travel to another site's archive.
    """

    site: str
    stream: str
    sources: Mapping[str, DiskLocation]
    buffers: Mapping[str, DiskLocation]
    processing: Mapping[str, DiskLocation]
    feeds: tuple[str, ...]
    archives: Mapping[str, str]
    asked: frozenset[str]
    sends: bool

    @classmethod
    def of(cls, place: Place, asked: Collection[str]) -> "Premises":
        """The premises of a place.

        Args:
            place: Where the janitor runs.
            asked: The archives that it has keys for.
        """
        return cls(
            site=place.site,
            stream=events_stream(place.site),
            sources=_disks(place, LocationType.SOURCE),
            buffers=_disks(place, LocationType.BUFFER),
            processing=_disks(place, LocationType.PROCESSING),
            feeds=tuple(place.settings.locations_of(LocationType.LONG_TERM_ARCHIVE)),
            archives=archive_sites(place.deployment),
            asked=frozenset(asked),
            sends=_sends(place.deployment, place.site),
        )

    @property
    def cleared(self) -> dict[str, DiskLocation]:
        """The locations whose copies go one package at a time."""
        return {**self.sources, **self.buffers}


def _disks(place: Place, kind: LocationType) -> dict[str, DiskLocation]:
    return {
        name: location
        for name, location in place.settings.locations.items()
        if location.type is kind and isinstance(location, DiskLocation)
    }


def _sends(deployment: Deployment, site: str) -> bool:
    return any(
        deployment.site(route.destination).locations_of(LocationType.LONG_TERM_ARCHIVE)
        for route in deployment.routes_from(site).values()
    )
