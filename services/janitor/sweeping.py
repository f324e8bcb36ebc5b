"""Looking around: what retention has let go, what a full disk needs, and what an event left undone."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from libs.bus.publishing import EventPublisher
from libs.errors import ChasquiError, Retriable
from libs.opsdb.reader import OpsDbReader
from libs.service.resting import Patience
from libs.sites.models import DiskLocation
from libs.storage.disk import measure_space
from libs.telemetry.logs import logger
from services.janitor import folders, queries, staged_queries
from services.janitor.cleaning import Cleaner
from services.janitor.emptying import Emptier
from services.janitor.pressure import Pressure

SWEEP_EVERY_S = 10.0
STRANDED = timedelta(minutes=1)
"""What was announced longer ago than this, nobody is about to delete any more; if somebody is, nothing happens twice."""
FIRST_PAUSE_S = 20.0
"""For so long a package is left alone that was looked at just now."""
PACKAGES_AT_ONCE = 50
"""Packages of one location that one sweep clears at most; the next one goes on."""

log = logger("janitor")


class Sweeper:
    """Sweeps every location that the janitor clears.

    Args:
        opsdb: The site's ops-db.
        publisher: Of the service.
        cleaner: Clears SOURCE and BUFFER.
        emptier: Clears PROCESSING.
        now: The clock.
        patience: With packages and jobs that stay.
    """

    def __init__(
        self,
        *,
        opsdb: OpsDbReader,
        publisher: EventPublisher,
        cleaner: Cleaner,
        emptier: Emptier,
        now: Callable[[], datetime],
        patience: Patience | None = None,
    ) -> None:
        self._opsdb = opsdb
        self._publisher = publisher
        self._cleaner = cleaner
        self._emptier = emptier
        self._now = now
        self._patience = patience or Patience(first_s=FIRST_PAUSE_S)
        self._pressure = Pressure()

    async def sweep(self) -> None:
        """Sweep once. A fault of one location or package does not keep the others.

        Raises:
            Retriable: ``opsdb_unavailable``.
        """
        for location, disk in self._cleaner.disks.items():
            await self._sweep_disk(location, disk)
        for location, disk in self._emptier.disks.items():
            for job_id in await self._done_with(location, disk):
                await self._tried(job_id, self._empty)

    async def _sweep_disk(self, location: str, disk: DiskLocation) -> None:
        """Finish what was announced, clear what is old enough, and as much of what is not as a full disk needs."""
        stranded = self._now() - STRANDED
        for package_id in await queries.announced(self._opsdb, location, stranded, PACKAGES_AT_ONCE):
            await self._tried(package_id, self._clean)
        for package_id in await self._due(location, self._now() - disk.retention.keep_for):
            await self._tried(package_id, self._clean)
        if not await self._is_pressed(location, disk):
            return
        for package_id in await self._due(location, self._now()):
            await self._tried(package_id, lambda one: self._clean(one, (location,)))
            if not await self._is_pressed(location, disk):
                return

    async def _due(self, location: str, before: datetime) -> list[UUID]:
        """Packages that were archived by then, the oldest first."""
        tired = self._patience.tired_of()
        return await queries.due(self._opsdb, location, before, tired, PACKAGES_AT_ONCE)

    async def _is_pressed(self, location: str, disk: DiskLocation) -> bool:
        try:
            space = await asyncio.to_thread(measure_space, disk.path)
        except (OSError, Retriable) as error:
            log.warning("not_measured", location=location, reason=str(error))
            return False
        return self._pressure.look(location, space, disk.retention)

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

    async def _tried(self, key: UUID, action: Callable[[UUID], Awaitable[bool]]) -> None:
        try:
            settled = await action(key)
        except ChasquiError as error:
            log.warning("not_cleared", id=str(key), **error.problem.model_dump())
            settled = False
        self._patience.rest(key, settled=settled)

    async def _clean(self, package_id: UUID, pressed: Collection[str] = ()) -> bool:
        cleaned = await self._cleaner.clean(package_id, pressed=pressed)
        await self._publisher.publish(cleaned.events)
        return cleaned.left == 0

    async def _empty(self, job_id: UUID) -> bool:
        emptied = await self._emptier.empty(job_id)
        await self._publisher.publish(emptied.events)
        return emptied.problem is None
