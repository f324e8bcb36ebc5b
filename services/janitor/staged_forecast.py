"""What would become of the folders of staging jobs at a PROCESSING location now, and why: nothing is touched."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from contracts.states import WorkState
from libs.sites.models import DiskLocation
from libs.storage.disk import Space
from services.janitor import folders
from services.janitor.facts import JobFacts, Moment, StagedFolder, StagedPackage, World
from services.janitor.forecast import Forecast, Verdict, count
from services.janitor.holds import Holds
from services.janitor.may_delete import Refusal, may_delete
from services.janitor.queries import Fetching
from services.janitor.refusing import Code

_JOBS = """
SELECT job.id, job.folder, job.state::text AS state, job.released_at, job.expires_at,
       ARRAY(SELECT other.id FROM staging_job other
             WHERE other.location = job.location AND other.folder = job.folder AND other.id <> job.id
               AND other.released_at IS NULL AND coalesce(other.state::text, '') <> 'failed'
             ORDER BY other.id) AS sharing
FROM staging_job job
WHERE job.location = $1 AND job.folder IS NOT NULL
  AND ((job.released_at IS NULL AND coalesce(job.state::text, '') <> 'failed')
       OR job.id = ANY($2::uuid[])
       OR EXISTS (SELECT FROM staging_job_package part
                  JOIN physical_copy copy ON copy.entity_id = part.raw_data_package_id AND copy.location = $1
                  WHERE part.staging_job_id = job.id AND copy.state <> 'deleted'
                    AND NOT EXISTS (
                      SELECT FROM staging_job_package held JOIN staging_job other ON other.id = held.staging_job_id
                      WHERE held.raw_data_package_id = part.raw_data_package_id AND other.id <> job.id
                        AND other.location = $1 AND other.released_at IS NULL
                        AND coalesce(other.state::text, '') <> 'failed')))
ORDER BY job.requested_at, job.id
"""

_PARTS = """
SELECT part.staging_job_id AS job, part.payload_bytes, package.instrument, package.executed_obs_unit_id AS unit,
       part.raw_data_package_id AS id
FROM staging_job_package part LEFT JOIN raw_data_package package ON package.id = part.raw_data_package_id
WHERE part.staging_job_id = ANY($1::uuid[]) ORDER BY part.raw_data_package_id
"""


@dataclass(frozen=True, slots=True)
class Staged:
    """A job, and what it has staged.

    Attributes:
        size: Bytes of payload.
        expires_at: When it goes back by itself; None while it is not complete, or if it never does.
    """

    facts: JobFacts
    folder: str
    size: int
    expires_at: datetime | None


async def forecast(
    opsdb: Fetching,
    name: str,
    disk: DiskLocation,
    space: Space | None,
    *,
    holds: Holds,
    now: datetime,
    look: bool = False,
    wanted: Callable[[Verdict], bool] | None = None,
) -> Forecast:
    """What would become of every job's folder at a location. A package in two jobs counts in both: so do its bytes.

    Args:
        opsdb: A snapshot of the site's ops-db.
        name: A PROCESSING location.
        disk: Its settings.
        space: Of its disk.
        holds: Those that stand.
        now: When it would be.
        look: Whether folders are looked for, too, that by ops-db alone nothing is in any more.
        wanted: Which verdicts are to be listed; none if left out.
    """
    on_disk = await asyncio.to_thread(_on_disk, disk.path) if look else []
    found = Forecast(name, disk.retention, space)
    for staged in await _staged(opsdb, name, on_disk):
        folder = StagedFolder(name, staged.folder, own=folders.job_folder(staged.facts.id))
        world = World(Moment.DECIDING, now, disk.retention, job=staged.facts, holds=holds)
        count(found, _verdict(staged, folder, world), wanted)
    return found


def _on_disk(root: Path) -> list[UUID]:
    try:
        return folders.jobs_on_disk(root)
    except OSError:
        return []


def _verdict(staged: Staged, folder: StagedFolder, world: World) -> Verdict:
    answer = may_delete(folder, world)
    problem = answer.problem if isinstance(answer, Refusal) else None
    waits = problem is not None and problem.code == Code.STILL_STAGED
    return Verdict(
        path=staged.folder,
        id=staged.facts.id,
        size=staged.size,
        copies=len(staged.facts.packages),
        package=None,
        problem=problem,
        due=staged.expires_at if waits else None,
    )


async def _staged(opsdb: Fetching, location: str, on_disk: Collection[UUID]) -> list[Staged]:
    jobs = await opsdb.fetch(_JOBS, location, list(on_disk))
    parts: dict[UUID, list[Any]] = {row["id"]: [] for row in jobs}
    for row in await opsdb.fetch(_PARTS, list(parts)):
        parts[row["job"]].append(row)
    return [_of(row, parts) for row in jobs]


def _of(row: Any, parts: Mapping[UUID, Collection[Any]]) -> Staged:  # noqa: ANN401  asyncpg's Record is not generic
    own = parts[row["id"]]
    facts = JobFacts(
        row["id"],
        WorkState(row["state"]) if row["state"] else None,
        row["released_at"],
        tuple(row["sharing"]),
        tuple(StagedPackage(part["id"], part["instrument"], part["unit"]) for part in own),
    )
    return Staged(facts, row["folder"], sum(part["payload_bytes"] or 0 for part in own), row["expires_at"])
