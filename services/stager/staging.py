"""A whole job: what it needs, which packages it still lacks, several of them at once."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from nats.aio.client import Client

from contracts.packages import PackageStaged
from contracts.staging import StagingCompleted, StagingRequested
from libs.breakers import resources
from libs.breakers.shared import Breakers
from libs.bus.publishing import EventPublisher
from libs.bus.pulse import turn
from libs.copies.staged import PlacedFile
from libs.errors import Permanent
from libs.groups import TaskGroup
from libs.opsdb.reader import OpsDbReader
from libs.packaging import DestinationConflict
from libs.service.archives import archive_sites
from libs.service.blocking import in_thread
from libs.service.service import Place
from libs.service.telling import telling
from libs.storage.paths import resolve_inside
from libs.storage.s3 import S3Store
from libs.storage.s3_upload import first_error
from services.stager import queries
from services.stager.archives import ArchiveCopy, in_order
from services.stager.proving import judge_conflict, prove
from services.stager.queries import Staged
from services.stager.recalling import recall, require_room, stands
from services.stager.resolving import Wanted, resolve
from services.stager.tally import Tally

AT_ONCE = 2
"""Packages that one instance recalls at the same time, over all its jobs."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A job as it is being done."""

    event: StagingRequested
    destination: Path
    causation_id: str


@dataclass(frozen=True, slots=True)
class _InPlace:
    """A package that is there, and its files."""

    staged: Staged
    files: Sequence[PlacedFile]


class Staging:
    """Does jobs.

    Args:
        opsdb: The site's ops-db.
        publisher: Of the service.
        client: For the progress bucket.
        place: Where the instance runs.
        stores: The archives that can be read here, by location.
        breakers: Of the archives and the PROCESSING locations.
        now: The clock.
    """

    def __init__(
        self,
        *,
        opsdb: OpsDbReader,
        publisher: EventPublisher,
        client: Client,
        place: Place,
        stores: Mapping[str, S3Store],
        breakers: Breakers,
        now: Callable[[], datetime],
    ) -> None:
        self._opsdb = opsdb
        self._publisher = publisher
        self._client = client
        self._place = place
        self._stores = stores
        self._breakers = breakers
        self._now = now
        self._room = asyncio.Semaphore(AT_ONCE)

    async def stage(self, event: StagingRequested, causation_id: str) -> StagingCompleted:
        """Put everything that was asked for in place.

        Each package is announced as soon as it is there: a job that is killed goes on after the last one.

        Raises:
            Permanent: It can never be done.
            Retriable: It cannot be done now.
        """
        wanted = resolve(event.selection, await queries.catalogue(self._opsdb, event.selection))
        root = self._place.disk(event.location).path
        destination = await asyncio.to_thread(resolve_inside, root, own_folder(event))
        job = _Job(event, destination, causation_id)
        async with self._breakers.using(resources.disk(event.location)):
            done = await self._standing(job, wanted)
            missing = [one for one in wanted if one.package_id not in done]
            await asyncio.to_thread(require_room, root, sum(one.payload_bytes for one in missing))
            done |= await self._recalled(job, missing)
            await self._prove(job, [file for one in done.values() for file in one.files])
        staged = [one.staged for one in done.values()]
        return completed(event, staged, self._now(), self._kept_for(event))

    async def _standing(self, job: _Job, wanted: Sequence[Wanted]) -> dict[UUID, _InPlace]:
        """What an earlier attempt announced and is still there."""
        announced = await queries.staged(self._opsdb, job.event.job_id)
        standing: dict[UUID, _InPlace] = {}
        for one in wanted:
            if (earlier := announced.get(one.package_id)) is not None:
                files = chosen(await queries.payload(self._opsdb, one.package_id), one.paths)
                known = len(files) == earlier.file_count
                if known and await asyncio.to_thread(stands, job.destination, files):
                    standing[one.package_id] = _InPlace(earlier, files)
        return standing

    async def _recalled(self, job: _Job, missing: Sequence[Wanted]) -> dict[UUID, _InPlace]:
        facts = {
            "work": "staging",
            "job_id": job.event.job_id,
            "packages": len(missing),
            "total": sum(one.size for one in missing),
        }
        key = f"stager.{job.event.job_id}"
        ids = [one.package_id for one in missing]
        copies = await queries.archive_copies(self._opsdb, ids, archive_sites(self._place.deployment))
        async with telling(self._client, self._place.site, key, facts) as board:
            tally = Tally(board)
            try:
                async with TaskGroup() as group:
                    tasks = [
                        group.create_task(self._package(job, one, copies.get(one.package_id, []), tally))
                        for one in missing
                    ]
            except BaseExceptionGroup as several:
                raise first_error(several) from several
        return {task.result().staged.package_id: task.result() for task in tasks}

    async def _prove(self, job: _Job, files: Sequence[PlacedFile]) -> None:
        facts = {
            "work": "staging",
            "job_id": job.event.job_id,
            "total": sum(one.size for one in files),
        }
        key = f"stager.{job.event.job_id}"
        async with telling(self._client, self._place.site, key, facts) as board:
            await in_thread(
                lambda stop: prove(job.destination, files, stop, lambda done: board.show(done=done))
            )

    async def _package(self, job: _Job, wanted: Wanted, copies: list[ArchiveCopy], tally: Tally) -> _InPlace:
        async with turn(self._room):
            try:
                bag = await recall(
                    wanted,
                    in_order(copies, self._place.deployment),
                    self._stores,
                    self._breakers,
                    job.destination,
                    progress=tally.part(str(wanted.package_id)),
                )
            except DestinationConflict as conflict:
                raise await in_thread(partial(judge_conflict, job.destination, conflict)) from conflict
        files = chosen(
            [PlacedFile(one.path, one.size, one.mtime_ns, one.sha256) for one in bag.bag.files], wanted.paths
        )
        staged = Staged(wanted.package_id, len(files), sum(file.size for file in files))
        await self._publisher.publish([announced(job.event, staged)], causation_id=job.causation_id)
        return _InPlace(staged, files)

    def _kept_for(self, event: StagingRequested) -> timedelta:
        if event.keep_for_s is not None:
            return timedelta(seconds=event.keep_for_s)
        return self._place.disk(event.location).retention.keep_for


def own_folder(event: StagingRequested) -> str:
    """The job's folder, relative to the location's root.

    Raises:
        Permanent: ``folder_invalid``: another one was asked for; the janitor would not clear it.
    """
    if event.folder != (own := f"staging/{event.job_id}"):
        raise Permanent(
            "folder_invalid",
            f"the job asks for the folder {event.folder!r}",
            f"Publish staging requests with the folder {own!r}, as the gateway does.",
        )
    return own


def chosen(files: Sequence[PlacedFile], paths: frozenset[str] | None) -> list[PlacedFile]:
    """The files of a package that were asked for."""
    return [file for file in files if paths is None or file.path in paths]


def announced(event: StagingRequested, staged: Staged) -> PackageStaged:
    """What is said of a package that is in place."""
    return PackageStaged(
        job_id=event.job_id,
        package_id=staged.package_id,
        location=event.location,
        folder=event.folder,
        file_count=staged.file_count,
        payload_bytes=staged.payload_bytes,
    )


def completed(
    event: StagingRequested, done: Sequence[Staged], now: datetime, kept_for: timedelta
) -> StagingCompleted:
    """What is said when everything is in place; the time to keep it begins now."""
    return StagingCompleted(
        job_id=event.job_id,
        location=event.location,
        folder=event.folder,
        packages=len(done),
        files=sum(one.file_count for one in done),
        payload_bytes=sum(one.payload_bytes for one in done),
        expires_at=now + kept_for,
    )
