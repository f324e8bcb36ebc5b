"""Looking around: what retention has let go, what a full disk needs, and what an event left undone."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID

from libs.errors import ChasquiError, Retriable
from libs.opsdb.reader import OpsDbReader
from libs.service.resting import Patience
from libs.sites.models import DiskLocation
from libs.storage.disk import Space, measure_space
from libs.telemetry.logs import logger
from services.janitor import folders, queries, staged_queries
from services.janitor.cleaning import Cleaner
from services.janitor.due import Walk
from services.janitor.emptying import Emptier
from services.janitor.leftovers import Leftovers
from services.janitor.marks import Marks
from services.janitor.pressure import excess

SWEEP_EVERY_S = 10.0
STRANDED = timedelta(minutes=1)
"""What was announced longer ago than this, nobody is about to delete any more; if somebody is, nothing happens twice."""
FIRST_PAUSE_S = 20.0
"""For so long a package is left alone that was looked at just now."""
PACKAGES_AT_ONCE = 50
"""Packages of one location that one sweep clears at most; the next one goes on."""

log = logger("janitor")


class Outcome(Enum):
    """What came of one package or job."""

    SETTLED = auto()
    """Nothing of it is left that the janitor could do."""
    STAYS = auto()
    """Something of it stays for a reason of its own: it is left alone for longer each time."""
    NOT_ASKED = auto()
    """An archive did not answer for another one just now. It is not left alone for longer: or one package that is
    never answered for would keep all that come after it in step with itself."""


@dataclass(slots=True)
class Round:
    """What one sweep has to do at a location.

    Attributes:
        old: Packages to clear in any case, in order.
        young: Archived packages that go only as long as the disk is too full.
        need: Bytes that are still to go for that.
    """

    location: str
    disk: DiskLocation
    old: deque[UUID]
    young: deque[UUID]
    need: int


class Sweeper:
    """Sweeps every location that the janitor clears.

    Args:
        opsdb: The site's ops-db.
        cleaner: Clears SOURCE and BUFFER.
        emptier: Clears PROCESSING.
        marks: Knows which disks were too full.
        leftovers: Clears what nobody comes back for.
        now: The clock.
        patience: With packages and jobs that stay.
    """

    def __init__(
        self,
        *,
        opsdb: OpsDbReader,
        cleaner: Cleaner,
        emptier: Emptier,
        marks: Marks,
        leftovers: Leftovers,
        now: Callable[[], datetime],
        patience: Patience | None = None,
    ) -> None:
        self._opsdb = opsdb
        self._cleaner = cleaner
        self._emptier = emptier
        self._leftovers = leftovers
        self._now = now
        self._patience = patience or Patience(first_s=FIRST_PAUSE_S)
        self._marks = marks
        self._walks = {location: Walk(opsdb, location) for location in cleaner.disks}

    async def sweep(self) -> None:
        """Sweep once: one package of each location in turn. A fault of one keeps no other.

        Raises:
            Retriable: ``opsdb_unavailable``.
        """
        rounds = [await self._begin(location, disk) for location, disk in self._cleaner.disks.items()]
        while rounds:
            rounds = [one for one in rounds if await self._step(one)]
        for location, disk in self._emptier.disks.items():
            for job_id in await self._done_with(location, disk):
                await self._tried(job_id, self._empty)
        await self._leftovers.look()

    async def _begin(self, location: str, disk: DiskLocation) -> Round:
        """What was announced and not finished, what is old enough, and what a disk that is too full needs."""
        space = await self._space(location, disk)
        await self._marks.recall(location)
        pressed = space is not None and await self._marks.look(location, space, disk.retention)
        tired, now = set(self._patience.tired_of()), self._now()
        stranded = await queries.announced(self._opsdb, location, now - STRANDED, PACKAGES_AT_ONCE)
        due = await self._walks[location].due(
            now - disk.retention.keep_for, tired, PACKAGES_AT_ONCE, young=pressed
        )
        first = dict.fromkeys([*(one for one in stranded if one not in tired), *due.old])
        need = excess(space, disk.retention) if pressed and space is not None else 0
        return Round(location, disk, deque(first), deque(due.young), need)

    async def _step(self, current: Round) -> bool:
        """Clear one package; returns whether there is another."""
        if current.old:
            await self._clear(current, current.old.popleft(), ())
        elif current.young and current.need > 0 and await self._is_pressed(current.location, current.disk):
            await self._clear(current, current.young.popleft(), (current.location,))
        else:
            return False
        return True

    async def _clear(self, current: Round, package_id: UUID, pressed: Collection[str]) -> None:
        async def clean(one: UUID) -> Outcome:
            cleaned = await self._cleaner.clean(one, pressed=pressed)
            # File systems may free what was deleted only later: what went is counted besides.
            current.need -= cleaned.gone.get(current.location, 0)
            if cleaned.unasked:
                return Outcome.NOT_ASKED
            return Outcome.STAYS if cleaned.left else Outcome.SETTLED

        await self._tried(package_id, clean)

    async def _space(self, location: str, disk: DiskLocation) -> Space | None:
        try:
            return await asyncio.to_thread(measure_space, disk.path)
        except (OSError, Retriable) as error:
            log.warning("not_measured", location=location, reason=str(error))
            return None

    async def _is_pressed(self, location: str, disk: DiskLocation) -> bool:
        space = await self._space(location, disk)
        return space is not None and await self._marks.look(location, space, disk.retention)

    async def _done_with(self, location: str, disk: DiskLocation) -> Sequence[UUID]:
        try:
            on_disk = await asyncio.to_thread(folders.jobs_on_disk, disk.path)
            if count := await asyncio.to_thread(folders.remove_leftovers, disk.path):
                log.info("leftovers_removed", location=location, count=count)
        except OSError as error:
            log.warning("not_swept", location=location, reason=str(error))
            return ()
        tired = set(self._patience.tired_of())
        return [
            one for one in await staged_queries.done_with(self._opsdb, location, on_disk) if one not in tired
        ]

    async def _tried(self, key: UUID, action: Callable[[UUID], Awaitable[Outcome]]) -> None:
        try:
            outcome = await action(key)
        except ChasquiError as error:
            log.warning("not_cleared", id=str(key), **error.problem.model_dump())
            outcome = Outcome.STAYS
        match outcome:
            case Outcome.NOT_ASKED:
                self._patience.wait(key)
            case Outcome.SETTLED | Outcome.STAYS:
                self._patience.rest(key, settled=outcome is Outcome.SETTLED)

    async def _empty(self, job_id: UUID) -> Outcome:
        emptied = await self._emptier.empty(job_id)
        return Outcome.SETTLED if emptied.problem is None else Outcome.STAYS
