"""One staging job at one site: its folder goes once it was released, has expired or failed."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from contracts.base import Event
from contracts.problems import Problem
from libs.bus.pulse import FLUSH_S, leave, turn
from libs.errors import Retriable
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.sites.models import DiskLocation
from libs.telemetry.logs import logger
from services.janitor import folders, hold_queries, refusing, staged_queries, telling
from services.janitor.facts import Moment, StagedFolder, World
from services.janitor.may_delete import Refusal, may_delete
from services.janitor.premises import Premises
from services.janitor.staged_queries import Job

log = logger("janitor")


class Emptier:
    """Clears the PROCESSING locations of a site, one job at a time.

    Args:
        opsdb: The site's ops-db.
        place: Where the instance runs.
        now: The clock.
    """

    def __init__(self, *, opsdb: OpsDbReader, place: Place, now: Callable[[], datetime]) -> None:
        self._opsdb = opsdb
        self._now = now
        self.disks: dict[str, DiskLocation] = dict(Premises.of(place, ()).processing)
        self._turn = asyncio.Lock()

    async def empty(self, job_id: UUID) -> list[Event]:
        """Delete a job's folder if it may go. A repeat finds it gone, and says the same.

        Raises:
            Retriable: ``location_missing``, ``opsdb_unavailable``.
        """
        async with turn(self._turn):
            job = await staged_queries.job(self._opsdb, job_id)
            if job is None or job.location not in self.disks or job.folder is None:
                return []
            copies = await staged_queries.copies(self._opsdb, job_id, job.location, job.folder)
            problem = await self._against(job, Moment.DECIDING) or await self._act(job_id)
            if problem is not None:
                log.info("kept", job=str(job_id), **problem.model_dump())
                refusals = [(copy.ref, problem, copy.refusal) for copy in copies]
                return list(telling.refused(job.location, refusals))
            log.info("deleted", job=str(job_id), location=job.location, packages=len(copies))
            gone = [(copy.ref, copy.since) for copy in copies]
            return list(telling.deleted(job_id, job.location, gone, self._now()))

    async def _act(self, job_id: UUID) -> Problem | None:
        """Ask again with what is known now, and delete; the reason if it stays."""
        job = await staged_queries.job(self._opsdb, job_id)
        if job is None or job.location is None:
            return None
        problem = await self._against(job, Moment.ACTING)
        if problem is not None:
            return problem
        root = self.disks[job.location].path
        if not await asyncio.to_thread(root.is_dir):
            raise Retriable(
                "location_missing",
                f"{root} is not there",
                "Mount the location or correct its path; nothing was deleted.",
            )
        try:
            with leave(FLUSH_S):
                await asyncio.to_thread(folders.remove, root, job_id)
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
