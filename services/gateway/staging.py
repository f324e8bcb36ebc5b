"""Asking for archived data, looking how far it is, and giving it back."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from nats.aio.client import Client
from pydantic import Json

from contracts.staging import (
    ReleaseReason,
    RequestStaging,
    Selection,
    StagingReleased,
    StagingRequested,
)
from contracts.states import WorkState
from contracts.subjects import events_stream
from libs.bus.buckets import Facts
from libs.bus.publishing import EventPublisher
from libs.errors import Retriable, UserError
from libs.insight.progress import progress_of
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from services.gateway.knowing import Knowing
from services.gateway.known import require_known
from services.gateway.paging import Page, Select, key_of, page_of, read_time
from services.gateway.placing import (
    absolute_folder,
    check_selection,
    choose_location,
    folder_of,
    name_job,
)
from services.gateway.records import RecordWithProblem

APPLIED_WITHIN_S = 5.0

_JOBS = """
    SELECT j.*, (SELECT count(*) FROM staging_job_package p WHERE p.staging_job_id = j.id) AS packages_done
    FROM staging_job j WHERE true
"""


class JobRecord(RecordWithProblem):
    """A StagingJob.

    Attributes:
        folder: Relative to the root of `location`.
        path: The folder on this site's disk; None if the location is elsewhere.
        packages_done: Unpacked and verified so far; `packages` is how many there were in the end.
        progress: As the stager last told it, while it works here.
    """

    id: UUID
    state: WorkState | None
    requested_by: str | None
    requested_at: datetime | None
    location: str | None
    folder: str | None
    path: str | None = None
    selection: Json[Selection] | None
    keep_for_s: float | None
    packages_done: int
    packages: int | None
    files: int | None
    payload_bytes: int | None
    completed_at: datetime | None
    expires_at: datetime | None
    released_at: datetime | None
    release_reason: ReleaseReason | None
    progress: Facts | None = None


class Staging:
    """Staging jobs of a site.

    Args:
        place: The site.
        knowing: Its ops-db.
        client: Connected to its NATS server.
        publisher: Says what was asked for.
    """

    def __init__(self, place: Place, knowing: Knowing, client: Client, publisher: EventPublisher) -> None:
        self._place = place
        self._knowing = knowing
        self._client = client
        self._publisher = publisher

    async def request(self, wanted: RequestStaging, key: str | None) -> StagingRequested:
        """Say that somebody asked; the same key again is the same job.

        Args:
            wanted: What is asked for.
            key: The client's Idempotency-Key, if it sent one.

        Returns:
            The request as it is in the log.

        Raises:
            UserError: Unknown ids or location, too many ids, or ``idempotency_key_reused``.
            Retriable: A server is away.
        """
        opsdb, now = self._knowing.opsdb, datetime.now(UTC)
        location = choose_location(self._place.deployment, self._place.site, wanted.location)
        check_selection(wanted.selection)
        job = name_job(wanted, self._place.site, key, now)
        event = StagingRequested(
            job_id=job,
            selection=wanted.selection,
            requested_by=wanted.requested_by,
            requested_at=now,
            location=location,
            folder=folder_of(job),
            keep_for_s=wanted.keep_for_s,
        )
        if earlier := await _find(opsdb, job):
            return _same(event, earlier, wanted)
        await require_known(opsdb, self._client, self._place, wanted.selection)
        await self._say(opsdb, event)
        stored = await _find(opsdb, job)
        return _same(event, stored, wanted) if stored else event

    async def release(self, job: UUID) -> JobRecord:
        """Say that the copies may go; again if it was said before, nothing more happens.

        Raises:
            UserError: ``unknown_staging_job`` or ``job_failed``.
            Retriable: A server is away.
        """
        opsdb = self._knowing.opsdb
        row = await _require(opsdb, job)
        if row["released_at"] is None:
            if row["state"] == WorkState.FAILED:
                raise UserError(
                    "job_failed",
                    f"the job {job} failed: what it had staged was released then",
                    "Nothing is left to be released.",
                )
            event = StagingReleased(
                job_id=job, location=row["location"], folder=row["folder"], reason=ReleaseReason.RELEASED
            )
            await self._say(opsdb, event)
        return await self.job(job)

    async def job(self, job: UUID) -> JobRecord:
        """One job and how far it is.

        Raises:
            UserError: ``unknown_staging_job``.
            Retriable: A server is away.
        """
        record = self._record(await _require(self._knowing.opsdb, job))
        if record.state not in (WorkState.PENDING, WorkState.IN_PROGRESS):
            return record
        told = await progress_of(self._client, self._place.site, f"stager.{job}")
        return record.model_copy(update={"progress": told})

    async def job_or_none(self, job: UUID) -> JobRecord | None:
        """One job as ops-db has it; None while its request is not there yet."""
        row = await _find(self._knowing.opsdb, job)
        return None if row is None else self._record(row)

    def path_of(self, location: str | None, folder: str | None) -> str | None:
        """A job's folder on this site's disk; None if it is elsewhere."""
        if location is None or folder is None:
            return None
        path = absolute_folder(self._place.deployment, self._place.site, location, folder)
        return None if path is None else str(path)

    async def jobs(self, state: WorkState | None, limit: int, cursor: str | None) -> Page[JobRecord]:
        """Jobs, the latest first."""
        select = Select(_JOBS + " AND j.requested_at IS NOT NULL")
        select.where("j.state = {}::work_state", state)
        select.where("(j.requested_at, j.id) < ({}, {})", *key_of(cursor, read_time, UUID))
        rows = await select.fetch(self._knowing.opsdb, order="j.requested_at DESC, j.id DESC", limit=limit)
        return page_of(
            rows, limit, lambda row: self._record(dict(row)), lambda row: (row["requested_at"], row["id"])
        )

    async def _say(self, opsdb: OpsDbReader, event: StagingRequested | StagingReleased) -> None:
        sequence = await self._publisher.publish([event])
        with suppress(Retriable):  # it is in the log; that ops-db shows it a little later is no failure
            await opsdb.wait_applied(events_stream(self._place.site), sequence, APPLIED_WITHIN_S)

    def _record(self, row: Mapping[str, Any]) -> JobRecord:
        return JobRecord.of(row, path=self.path_of(row["location"], row["folder"]))


def _same(asked: StagingRequested, stored: Mapping[str, Any], wanted: RequestStaging) -> StagingRequested:
    """The stored request if it is the one that is asked for; where it goes counts only if that was asked for.

    Raises:
        UserError: ``idempotency_key_reused``.
    """
    found = asked.model_copy(
        update={
            "selection": Selection.model_validate_json(stored["selection"]),
            "requested_by": stored["requested_by"],
            "requested_at": stored["requested_at"],
            "location": stored["location"],
            "keep_for_s": stored["keep_for_s"],
        }
    )
    open_points: dict[str, Any] = {"requested_at": found.requested_at}
    if wanted.location is None:
        open_points["location"] = found.location
    if found != asked.model_copy(update=open_points):
        raise UserError(
            "idempotency_key_reused",
            f"the job {asked.job_id} of this Idempotency-Key asks for something else",
            "Send a new key with a new request.",
        )
    return found


async def _find(opsdb: OpsDbReader, job: UUID) -> dict[str, Any] | None:
    """A job's row once its request is known; a stub of other events is none."""
    row = await opsdb.fetchrow(_JOBS + " AND j.id = $1 AND j.selection IS NOT NULL", job)
    return None if row is None else dict(row)


async def _require(opsdb: OpsDbReader, job: UUID) -> dict[str, Any]:
    row = await _find(opsdb, job)
    if row is None:
        raise UserError(
            "unknown_staging_job",
            f"nothing here is a staging job with the id {job}",
            "Check the id; a job that was asked for at another site may not have arrived yet.",
        )
    return row
