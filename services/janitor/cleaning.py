"""One package at one site: decide about every copy of it, ask the archive, announce, look, delete, tell.

Invariants:
    1. Nothing is touched before DeletionScheduled is stored, which names all that will be.
    2. Killed after that, the copies are found by their state: one that is gone is told to be so, whatever else has
       happened since; one that is there is decided about anew.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from contracts.base import Event
from libs.bus import fencing
from libs.bus.pulse import turn
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.sites.models import DiskLocation
from libs.telemetry.logs import logger
from services.janitor import hold_queries, queries, telling
from services.janitor.acting import Actor, Grounds, by_location, grouped, ref_of
from services.janitor.asking import Asker, mode_for
from services.janitor.facts import BufferCopy, Moment, PackageFacts, Sight, SourceCopy, Standing, World
from services.janitor.holds import Holds
from services.janitor.planning import Candidate, Refused, plan
from services.janitor.premises import Premises
from services.janitor.saying import Voice
from services.janitor.telling import Kept, Told

log = logger("janitor")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of a package's copies at this site.

    Attributes:
        gone: Bytes that went, by location.
        left: How many copies stay for a reason of their own.
        unasked: Whether an archive was not asked, as it did not answer for another package.
        away: How many are at locations that are away.
    """

    gone: Mapping[str, int] = field(default_factory=dict)
    left: int = 0
    unasked: bool = False
    away: int = 0


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided, with disks and archives asked.

    Attributes:
        package: With what its archives said.
        grounds: The locations that are there.
        deletions: What goes.
        refusals: What stays.
        finished: What was announced earlier, and is gone.
    """

    package: PackageFacts
    grounds: Grounds
    deletions: Sequence[Candidate]
    refusals: Sequence[Refused]
    finished: Sequence[Candidate]


class Cleaner:
    """Clears the SOURCE and BUFFER locations of a site, one package at a time.

    Args:
        opsdb: The site's ops-db.
        asker: Asks the archives.
        voice: Announces what is about to go, and tells what went.
        place: Where the instance runs.
        now: The clock.
    """

    def __init__(
        self,
        *,
        opsdb: OpsDbReader,
        asker: Asker,
        voice: Voice,
        place: Place,
        now: Callable[[], datetime],
    ) -> None:
        self._opsdb = opsdb
        self._asker = asker
        self._voice = voice
        self._now = now
        self._premises = Premises.of(place, asker.locations)
        self._actor = Actor(opsdb, self._premises, place.deployment)
        self._turn = asyncio.Lock()

    @property
    def disks(self) -> dict[str, DiskLocation]:
        """The locations that are cleared."""
        return self._premises.cleared

    async def clean(
        self, package_id: UUID, *, pressed: Collection[str] = (), causation_id: str | None = None
    ) -> Cleaned:
        """Delete what may go, and tell what came of it. A repeat finds it gone, and says the same.

        Args:
            package_id: The package.
            pressed: Locations whose disks are so full that its age is not waited for there.
            causation_id: Of the event that asked for it.

        Raises:
            Retriable: ``opsdb_unavailable``, ``bus_unavailable``.
            Overtaken: A successor may be at it.
            UserError: An instrument's folder is reached through a symbolic link.
        """
        async with turn(self._turn):
            async with self._opsdb.snapshot(self._premises.stream) as view:
                found = (await queries.dossiers(view, self._premises, [package_id])).get(package_id)
                holds = await hold_queries.standing(view)
            if found is None or not found.copies:
                return Cleaned()
            decided = await self._decide(found, self._candidates(found, holds, pressed))
            await self._announce(package_id, decided.deletions, causation_id)
            cleared = await self._actor.delete(decided.grounds, decided.package, decided.deletions)
            fencing.check()  # who was paused finds gone, or replaced, what a successor has deleted, and has told of it
            stay = (*decided.refusals, *cleared.refused)
            away = len(found.copies) - len(decided.deletions) - len(decided.refusals) - len(decided.finished)
            await self._voice.tell(self._told(package_id, decided, cleared.gone, stay), causation_id)
            return Cleaned(
                _bytes_by_location((*cleared.gone, *decided.finished)),
                len(stay),
                any(archive.standing is Standing.SILENT for archive in decided.package.archives),
                away,
            )

    def _candidates(self, found: queries.Dossier, holds: Holds, pressed: Collection[str]) -> list[Candidate]:
        now = self._now()
        worlds = {
            location: World(
                Moment.DECIDING, now, disk.retention, location in pressed, package=found.package, holds=holds
            )
            for location, disk in self.disks.items()
        }
        return [
            Candidate(known.copy, worlds[known.copy.ref.location], known.history) for known in found.copies
        ]

    async def _decide(self, found: queries.Dossier, candidates: Sequence[Candidate]) -> Decided:
        """Decide by ops-db, then look at the disks, then ask the archives: each only about what is left."""
        first = plan(candidates)
        announced = [one for one in first.refusals if one.candidate.history.announced]
        others = [one for one in first.refusals if not one.candidate.history.announced]
        maybe = [*first.deletions, *(one.candidate for one in announced)]
        grounds = await self._actor.grounds(found.package, maybe)
        looked = await self._actor.looked(grounds, maybe)
        finished = [one for one in looked if one.history.announced and _is_gone(one)]
        second = plan(one for one in looked if not (one.history.announced and _is_gone(one)))
        package = await self._asked(found.package, second.deletions)
        third = plan(replace(one, world=replace(one.world, package=package)) for one in second.deletions)
        refusals = [*others, *second.refusals, *third.refusals]
        return Decided(package, grounds, third.deletions, refusals, finished)

    async def _asked(self, package: PackageFacts, deletions: Sequence[Candidate]) -> PackageFacts:
        """The package as ops-db knows it now, with what its archives say of it now."""
        if not deletions:
            return package
        known = await queries.package_facts(self._opsdb, self._premises, [package.id])
        mode = mode_for(candidate.world.retention.evidence for candidate in deletions)
        return await self._asker.ask(known[package.id].facts, mode)

    async def _announce(
        self, package_id: UUID, deletions: Sequence[Candidate], causation_id: str | None
    ) -> None:
        """Say what goes; what a killed janitor, or another one, has announced already stands as it was said."""
        events = [
            event
            for location, several in by_location(one for one in deletions if not one.history.announced)
            for event in telling.scheduled(_batch(package_id, location, several), location, _told(several))
        ]
        await self._voice.announce(events, causation_id)

    def _told(
        self, package_id: UUID, decided: Decided, gone: Sequence[Candidate], refused: Sequence[Refused]
    ) -> list[Event]:
        """What is said afterwards; what went under the names under which it was announced."""
        events: list[Event] = []
        for announced in (False, True):
            batches = {
                location: _batch(package_id, location, several)
                for location, several in by_location(_announced(decided.deletions, announced))
            }
            for location, several in by_location(_announced(gone, announced)):
                events += telling.deleted(batches[location], location, _told(several), self._now())
                log.info("deleted", package=str(package_id), location=location, copies=len(several))
        for location, several in by_location(decided.finished):
            batch = _batch(package_id, location, several)
            events += telling.deleted(batch, location, _told(several), self._now())
            log.info("found_deleted", package=str(package_id), location=location, copies=len(several))
        for location, stay in grouped(refused, lambda one: ref_of(one.candidate).location):
            kept = [Kept(told, one.problem) for one in stay for told in _told([one.candidate])]
            events += telling.refused(location, kept)
        return events


def _told(candidates: Sequence[Candidate]) -> list[Told]:
    return [Told(ref_of(one), one.history) for one in candidates]


def _batch(package_id: UUID, location: str, several: Sequence[Candidate]) -> UUID:
    return telling.batch_id(package_id, location, _told(several))


def _announced(candidates: Sequence[Candidate], announced: bool) -> list[Candidate]:
    return [one for one in candidates if one.history.announced is announced]


def _is_gone(candidate: Candidate) -> bool:
    copy = candidate.copy
    return isinstance(copy, SourceCopy | BufferCopy) and copy.seen is Sight.GONE


def _bytes_by_location(gone: Sequence[Candidate]) -> dict[str, int]:
    return {location: sum(ref_of(one).size for one in several) for location, several in by_location(gone)}
