"""What the janitor asks ops-db about staging jobs."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from contracts.copies import CopyRef
from contracts.states import CopyKind, CopyState, WorkState
from libs.opsdb.reader import OpsDbReader
from services.janitor.facts import History, JobFacts, StagedPackage

_JOB = """
SELECT job.location, job.folder, job.state::text AS state, job.released_at,
       ARRAY(SELECT other.id FROM staging_job other
             WHERE other.location = job.location AND other.folder = job.folder AND other.id <> job.id
               AND other.released_at IS NULL AND coalesce(other.state::text, '') <> 'failed'
             ORDER BY other.id) AS sharing
FROM staging_job job WHERE job.id = $1
"""

_PACKAGES = """
SELECT part.raw_data_package_id AS id, package.instrument, package.executed_obs_unit_id AS unit
FROM staging_job_package part LEFT JOIN raw_data_package package ON package.id = part.raw_data_package_id
WHERE part.staging_job_id = $1 ORDER BY 1
"""

_COPIES = """
SELECT copy.entity_id, copy.size, copy.created_at, copy.state::text AS state, copy.refusal_code, copy.refused_at
FROM staging_job_package part
JOIN physical_copy copy ON copy.entity_id = part.raw_data_package_id AND copy.location = $2
WHERE part.staging_job_id = $1 AND copy.state <> 'deleted'
  AND NOT EXISTS (
    SELECT FROM staging_job_package held JOIN staging_job other ON other.id = held.staging_job_id
    WHERE held.raw_data_package_id = part.raw_data_package_id AND other.id <> part.staging_job_id
      AND other.location = $2 AND other.released_at IS NULL AND coalesce(other.state::text, '') <> 'failed')
ORDER BY copy.entity_id
"""

_DONE_WITH = """
SELECT job.id FROM staging_job job
WHERE job.location = $1 AND (job.released_at IS NOT NULL OR job.state = 'failed')
  AND (job.id = ANY($2::uuid[])
       OR job.id IN (SELECT part.staging_job_id FROM physical_copy copy
                     JOIN staging_job_package part ON part.raw_data_package_id = copy.entity_id
                     WHERE copy.location = $1 AND copy.state <> 'deleted'))
ORDER BY job.id
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A staging job and where it put things; location and folder are None while only its id is known."""

    facts: JobFacts
    location: str | None
    folder: str | None


@dataclass(frozen=True, slots=True)
class StagedCopy:
    """A package that a job staged and no other job in use has staged, too; and what was told of it."""

    ref: CopyRef
    history: History


async def job(opsdb: OpsDbReader, job_id: UUID) -> Job | None:
    """A job; None if ops-db does not know it."""
    row = await opsdb.fetchrow(_JOB, job_id)
    if row is None:
        return None
    state = WorkState(row["state"]) if row["state"] else None
    packages = tuple(StagedPackage(**dict(one)) for one in await opsdb.fetch(_PACKAGES, job_id))
    facts = JobFacts(job_id, state, row["released_at"], tuple(row["sharing"]), packages)
    return Job(facts, row["location"], row["folder"])


async def copies(opsdb: OpsDbReader, job_id: UUID, location: str, folder: str) -> list[StagedCopy]:
    """The staged copies that end with a job."""
    return [
        StagedCopy(
            CopyRef(
                kind=CopyKind.RAW_DATA_PACKAGE,
                entity_id=row["entity_id"],
                location=location,
                path=folder,
                size=row["size"] or 0,
            ),
            History(row["created_at"], CopyState(row["state"]), row["refusal_code"], row["refused_at"]),
        )
        for row in await opsdb.fetch(_COPIES, job_id, location)
    ]


async def done_with(opsdb: OpsDbReader, location: str, on_disk: Collection[UUID]) -> list[UUID]:
    """Released or failed jobs of a location of which something is left, on disk or on record.

    Args:
        opsdb: The site's ops-db.
        location: A PROCESSING location.
        on_disk: The jobs that have a folder there.
    """
    return [row["id"] for row in await opsdb.fetch(_DONE_WITH, location, list(on_disk))]
