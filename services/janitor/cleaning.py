"""One package at one site: decide about every copy of it, ask the archive, look, delete, tell."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from contracts.base import Event
from contracts.copies import CopyRef
from libs.bus.pulse import turn
from libs.opsdb.reader import OpsDbReader
from libs.service.blocking import in_thread
from libs.service.service import Place
from libs.sites.models import DiskLocation
from libs.storage.deletion import EmptiedFolders
from libs.telemetry.logs import logger
from services.janitor import hold_queries, queries, telling
from services.janitor.asking import Asker, mode_for
from services.janitor.deleting import Cleared, Ground, delete, require_mounted
from services.janitor.facts import BufferCopy, Moment, PackageFacts, SourceCopy, World
from services.janitor.holds import Holds
from services.janitor.planning import Candidate, Refused, plan
from services.janitor.premises import Premises

CHUNK = 500
"""Copies between two looks at the holds."""
AT_ONCE = 4
"""Chunks that are deleted side by side."""
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
        self._premises = Premises.of(place, asker.locations)
        self._turn = asyncio.Lock()

    @property
    def disks(self) -> dict[str, DiskLocation]:
        """The locations that are cleared."""
        return self._premises.cleared

    async def clean(self, package_id: UUID, pressed: Collection[str] = ()) -> Cleaned:
        """Delete what may go. A repeat finds it gone, and says the same.

        Args:
            package_id: The package.
            pressed: Locations whose disks are so full that its age is not waited for there.

        Raises:
            Retriable: ``location_missing``, ``opsdb_unavailable``.
        """
        async with turn(self._turn):
            async with self._opsdb.snapshot(self._premises.stream) as view:
                found = (await queries.dossiers(view, self._premises, [package_id])).get(package_id)
                holds = await hold_queries.standing(view)
            if found is None or not found.copies:
                return Cleaned()
            worlds = self._worlds(found, holds, pressed)
            decided = plan(_candidates(found.copies, worlds))
            cleared = await self._act(package_id, decided.deletions)
            return self._told(package_id, cleared.gone, (*decided.refusals, *cleared.refused))

    def _worlds(self, found: queries.Dossier, holds: Holds, pressed: Collection[str]) -> dict[str, World]:
        """What the copies' fate depends on, by location."""
        now = self._now()
        return {
            location: World(
                Moment.DECIDING, now, disk.retention, location in pressed, package=found.package, holds=holds
            )
            for location, disk in self.disks.items()
        }

    async def _act(self, package_id: UUID, deletions: Sequence[Candidate]) -> Cleared:
        """Ask archives and disks, and delete what still may go."""
        if not deletions:
            return Cleared((), ())
        package = await self._asked(package_id, deletions)
        grounds = {
            location: await self._ground(package, location, several)
            for location, several in _by_location(deletions)
        }
        for ground in grounds.values():
            await asyncio.to_thread(require_mounted, ground)
        room = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._delete(room, grounds[location], package, chunk))
                for location, several in _by_location(deletions)
                for chunk in _chunks(several)
            ]
        return Cleared(
            tuple(one for task in tasks for one in task.result().gone),
            tuple(one for task in tasks for one in task.result().refused),
        )

    async def _asked(self, package_id: UUID, deletions: Sequence[Candidate]) -> PackageFacts:
        """The package as ops-db knows it now, with what its archives say of it now."""
        known = await queries.package_facts(self._opsdb, self._premises, [package_id])
        mode = mode_for(candidate.world.retention.evidence for candidate in deletions)
        return await self._asker.ask(known[package_id].facts, mode)

    async def _delete(
        self, room: asyncio.Semaphore, ground: Ground, package: PackageFacts, chunk: Sequence[Candidate]
    ) -> Cleared:
        """Delete some copies; holds are looked up for every few of them, as they may be placed meanwhile."""
        async with room:
            holds = await hold_queries.standing(self._opsdb)
            acting = [
                replace(one, world=replace(one.world, moment=Moment.ACTING, package=package, holds=holds))
                for one in chunk
            ]
            return await in_thread(lambda stop: delete(ground, acting, stop.is_set))

    async def _ground(self, package: PackageFacts, location: str, several: Sequence[Candidate]) -> Ground:
        root = self.disks[location].path
        if location in self._premises.buffers:
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
