"""One staging job at one site: its folder goes once it was released, has expired or failed."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.base import Event
from contracts.problems import Problem
from contracts.states import CopyState
from libs.bus.pulse import FLUSH_S, leave, turn
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.sites.models import DiskLocation
from libs.telemetry.logs import logger
from services.janitor import folders, hold_queries, refusing, staged_queries, telling
from services.janitor.facts import Moment, StagedFolder, World
from services.janitor.may_delete import Refusal, may_delete
from services.janitor.premises import Premises
from services.janitor.saying import Voice
from services.janitor.staged_queries import Job
from services.janitor.telling import Kept, Told

log = logger("janitor")


@dataclass(frozen=True, slots=True)
class Emptied:
    """What became of a job's folder.

    Attributes:
        problem: Why it stays; None if it does not.
    """

    problem: Problem | None = None


class Emptier:
    """Clears the PROCESSING locations of a site, one job at a time.

    Args:
        opsdb: The site's ops-db.
        voice: Announces what is about to go, and tells what went.
        place: Where the instance runs.
        now: The clock.
    """

    def __init__(
        self, *, opsdb: OpsDbReader, voice: Voice, place: Place, now: Callable[[], datetime]
    ) -> None:
        self._opsdb = opsdb
        self._voice = voice
        self._now = now
        self.disks: dict[str, DiskLocation] = dict(Premises.of(place, ()).processing)
        self._turn = asyncio.Lock()

    async def empty(self, job_id: UUID, *, causation_id: str | None = None) -> Emptied:
        """Delete a job's folder if it may go, and tell what came of it. A repeat finds it gone, and says the same.

        Args:
            job_id: The job.
            causation_id: Of the event that asked for it.

        Raises:
            Retriable: ``opsdb_unavailable``, ``bus_unavailable``.
        """
        async with turn(self._turn):
            job = await staged_queries.job(self._opsdb, job_id)
            if job is None or job.location not in self.disks or job.folder is None:
                return Emptied()
            root = self.disks[job.location].path
            if not await asyncio.to_thread(root.is_dir):
                log.warning("location_away", location=job.location, job=str(job_id))
                return Emptied()
            found = await staged_queries.copies(self._opsdb, job_id, job.location, job.folder)
            copies = [Told(one.ref, one.history) for one in found]
            batch = telling.batch_id(job_id, job.location, copies)
            problem = await self._against(job, Moment.DECIDING)
            if problem is None:
                if not all(one.history.announced for one in copies):
                    scheduled = telling.scheduled(batch, job.location, copies)
                    await self._voice.announce(scheduled, causation_id)
                problem = await self._act(job_id)
            if problem is not None:
                await self._voice.tell(_kept(job.location, job_id, copies, problem), causation_id)
                return Emptied(problem)
            log.info("deleted", job=str(job_id), location=job.location, packages=len(copies))
            await self._voice.tell(telling.deleted(batch, job.location, copies, self._now()), causation_id)
            return Emptied()

    async def _act(self, job_id: UUID) -> Problem | None:
        """Ask again with what is known now, and delete; the reason if it stays."""
        job = await staged_queries.job(self._opsdb, job_id)
        if job is None or job.location is None:
            return None
        problem = await self._against(job, Moment.ACTING)
        if problem is not None:
            return problem
        try:
            with leave(FLUSH_S):
                await asyncio.to_thread(folders.remove, self.disks[job.location].path, job_id)
        except OSError as error:
            return refusing.not_deletable(folders.job_folder(job_id), error.strerror or str(error))
        return None

    async def _against(self, job: Job, moment: Moment) -> Problem | None:
        location, path = job.location or "", job.folder or ""
        folder = StagedFolder(location, path, own=folders.job_folder(job.facts.id))
        retention = self.disks[location].retention
        holds = await hold_queries.standing(self._opsdb)
        answer = may_delete(folder, World(moment, self._now(), retention, job=job.facts, holds=holds))
        return answer.problem if isinstance(answer, Refusal) else None


def _kept(location: str, job_id: UUID, copies: Sequence[Told], problem: Problem) -> Sequence[Event]:
    log.info("kept", job=str(job_id), **problem.model_dump())
    return telling.refused(location, [Kept(one, problem, whole=CopyState.STAGED) for one in copies])
