"""One package at one site: decide about every copy of it, ask the archive, look, delete, tell."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from contracts.base import Event
from contracts.copies import CopyRef
from contracts.states import LocationType
from contracts.subjects import events_stream
from libs.bus.pulse import turn
from libs.opsdb.reader import OpsDbReader
from libs.service.archives import archive_sites
from libs.service.service import Place
from libs.sites.models import DiskLocation
from libs.storage.deletion import EmptiedFolders
from libs.storage.disk import measure_space
from libs.telemetry.logs import logger
from services.janitor import queries, telling
from services.janitor.asking import Asker
from services.janitor.deleting import Cleared, Ground, delete, require_mounted
from services.janitor.facts import BufferCopy, Moment, PackageFacts, SourceCopy, World
from services.janitor.planning import Candidate, Refused, plan

CHUNK = 500
PACKAGES_FOLDER = "packages"

T = TypeVar("T")

log = logger("janitor")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of a package's copies at this site.

    Attributes:
        events: What is to be said of it.
        left: How many copies stay.
    """

    events: tuple[Event, ...] = ()
    left: int = 0


def disks_of(place: Place, kind: LocationType) -> dict[str, DiskLocation]:
    """The disks of a site that serve one purpose, inactive ones included: what is there goes all the same."""
    return {
        name: location
        for name, location in place.settings.locations.items()
        if location.type is kind and isinstance(location, DiskLocation)
    }


class Cleaner:
    """Clears the SOURCE and BUFFER locations of a site, one package at a time.

    Args:
        opsdb: The site's ops-db.
        asker: Asks the archives.
        place: Where the instance runs.
        now: The clock.
    """

    def __init__(
        self, *, opsdb: OpsDbReader, asker: Asker, place: Place, now: Callable[[], datetime]
    ) -> None:
        self._opsdb = opsdb
        self._asker = asker
        self._place = place
        self._now = now
        self._sources = disks_of(place, LocationType.SOURCE)
        self._buffers = disks_of(place, LocationType.BUFFER)
        self._archives = archive_sites(place.deployment)
        self._turn = asyncio.Lock()

    @property
    def disks(self) -> dict[str, DiskLocation]:
        """The locations that are cleared."""
        return self._sources | self._buffers

    async def clean(self, package_id: UUID) -> Cleaned:
        """Delete what may go. A repeat finds it gone, and says the same.

        Raises:
            Retriable: ``location_missing``, ``opsdb_unavailable``.
        """
        async with turn(self._turn):
            found = await queries.dossier(
                self._opsdb,
                events_stream(self._place.site),
                package_id,
                sources=self._sources,
                buffers=self._buffers,
                site=self._place.site,
                feeds=tuple(self._place.settings.locations_of(LocationType.LONG_TERM_ARCHIVE)),
                archives=self._archives,
                asked=self._asker.locations,
            )
            if found is None or not found.copies:
                return Cleaned()
            worlds = await self._worlds(found)
            decided = plan(_candidates(found.copies, worlds))
            cleared = await self._act(found.package, decided.deletions, worlds)
            return self._told(package_id, cleared.gone, (*decided.refusals, *cleared.refused))

    async def _worlds(self, found: queries.Dossier) -> dict[str, World]:
        """What the copies' fate depends on, by location."""
        worlds: dict[str, World] = {}
        for location in {known.copy.ref.location for known in found.copies}:
            disk = self.disks[location]
            space = await asyncio.to_thread(measure_space, disk.path)
            worlds[location] = World(
                Moment.DECIDING, self._now(), disk.retention, space.used_fraction, package=found.package
            )
        return worlds

    async def _act(
        self, package: PackageFacts, deletions: Sequence[Candidate], worlds: dict[str, World]
    ) -> Cleared:
        if not deletions:
            return Cleared((), ())
        grounds = {
            location: await self._ground(package, location, several)
            for location, several in _by_location(deletions)
        }
        for ground in grounds.values():
            await asyncio.to_thread(require_mounted, ground)
        asked = await self._asker.ask(package)
        acting = {
            location: replace(world, moment=Moment.ACTING, package=asked)
            for location, world in worlds.items()
        }
        done = await asyncio.gather(
            *(
                asyncio.to_thread(delete, grounds[location], chunk)
                for location, several in _by_location(deletions)
                for chunk in _chunks([replace(one, world=acting[location]) for one in several])
            )
        )
        return Cleared(
            tuple(one for cleared in done for one in cleared.gone),
            tuple(one for cleared in done for one in cleared.refused),
        )

    async def _ground(self, package: PackageFacts, location: str, several: Sequence[Candidate]) -> Ground:
        root = self.disks[location].path
        if location in self._buffers:
            return Ground(root, PACKAGES_FOLDER, EmptiedFolders.REMOVE)
        # A running observation may be about to write into a folder that is empty just now.
        busy = package.instrument is None or await queries.is_observing(self._opsdb, package.instrument)
        emptied = EmptiedFolders.KEEP if busy else EmptiedFolders.REMOVE
        return Ground(root, self._instrument_folder(package, _ref(several[0]).path), emptied)

    def _instrument_folder(self, package: PackageFacts, path: str) -> str:
        if package.instrument in self._place.deployment.instruments:
            return self._place.deployment.instrument_folder(package.instrument)
        return path.partition("/")[0]

    def _told(self, package_id: UUID, gone: Sequence[Candidate], refused: Sequence[Refused]) -> Cleaned:
        events: list[Event] = []
        for location, several in _by_location(gone):
            copies = [(_ref(one), one.since) for one in several]
            events += telling.deleted(package_id, location, copies, self._now())
            log.info("deleted", package=str(package_id), location=location, copies=len(several))
        for location, stay in _grouped(refused, lambda one: _ref(one.candidate).location):
            refusals = [(_ref(one.candidate), one.problem, one.candidate.refusal) for one in stay]
            events += telling.refused(location, refusals)
        return Cleaned(tuple(events), len(refused))


def _ref(candidate: Candidate) -> CopyRef:
    copy = candidate.copy
    if not isinstance(copy, SourceCopy | BufferCopy):
        raise TypeError(f"{type(copy).__name__} is no file or package")
    return copy.ref


def _chunks(candidates: Sequence[Candidate]) -> Iterable[Sequence[Candidate]]:
    return (candidates[start : start + CHUNK] for start in range(0, len(candidates), CHUNK))


def _candidates(copies: Iterable[queries.KnownCopy], worlds: dict[str, World]) -> list[Candidate]:
    return [
        Candidate(known.copy, worlds[known.copy.ref.location], known.since, known.refusal) for known in copies
    ]


def _by_location(candidates: Iterable[Candidate]) -> list[tuple[str, list[Candidate]]]:
    return _grouped(candidates, lambda one: _ref(one).location)


def _grouped(items: Iterable[T], key: Callable[[T], str]) -> list[tuple[str, list[T]]]:
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return sorted(groups.items(), key=lambda group: group[0])
