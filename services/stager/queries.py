"""What the stager asks ops-db."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.staging import Selection
from contracts.states import FileState, ObservationState, PackageState, WorkState
from libs.copies.staged import PlacedFile
from libs.opsdb.reader import OpsDbReader
from services.stager.archives import ArchiveCopy
from services.stager.resolving import Catalogue, KnownFile, KnownPackage, KnownUnit

_JOB = "SELECT state::text AS state, released_at FROM staging_job WHERE id = $1"

_UNITS = """
SELECT unit.id, unit.state::text AS state,
       (SELECT count(*) FROM raw_data_file file
        WHERE file.executed_obs_unit_id = unit.id AND file.state IN ('filed', 'scanned', 'planned')) AS awaited
FROM executed_obs_unit unit WHERE unit.id = ANY($1::uuid[])
"""

_FILES = """
SELECT id, path, size, state::text AS state, raw_data_package_id AS package_id
FROM raw_data_file WHERE id = ANY($1::uuid[]) AND path IS NOT NULL
"""

_PACKAGES = """
SELECT id, executed_obs_unit_id AS unit_id, state::text AS state, name, size, sha256, payload_bytes
FROM raw_data_package WHERE id = ANY($1::uuid[]) OR executed_obs_unit_id = ANY($2::uuid[])
"""

_COPIES = """
SELECT entity_id, location, path AS key, scrub_problem_code AS damage FROM physical_copy
WHERE entity_id = ANY($1::uuid[]) AND location = ANY($2::text[]) AND state = 'present'
"""

_STAGED = """
SELECT raw_data_package_id AS package_id, file_count, payload_bytes FROM staging_job_package
WHERE staging_job_id = $1 AND staged_at IS NOT NULL
"""

_PAYLOAD = """
SELECT path, size, mtime_ns, sha256 FROM raw_data_file WHERE raw_data_package_id = $1 AND state = 'packaged'
"""

_EXPIRED = """
SELECT id, location, folder FROM staging_job
WHERE state = 'completed' AND released_at IS NULL AND expires_at <= $1 AND location = ANY($2::text[])
ORDER BY expires_at LIMIT 100
"""


@dataclass(frozen=True, slots=True)
class Staged:
    """A package that a job has put in place already."""

    package_id: UUID
    file_count: int
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class Expired:
    """A job whose time is up."""

    id: UUID
    location: str
    folder: str


async def is_over(opsdb: OpsDbReader, job_id: UUID) -> bool:
    """Whether a job is completed, failed or released: nothing is to be staged for it any more."""
    row = await opsdb.fetchrow(_JOB, job_id)
    if row is None:
        return False
    return row["released_at"] is not None or row["state"] in {WorkState.COMPLETED, WorkState.FAILED}


async def catalogue(opsdb: OpsDbReader, selection: Selection) -> Catalogue:
    """Everything that ops-db knows about a selection."""
    units = await opsdb.fetch(_UNITS, selection.executed_obs_unit_ids)
    files = [
        KnownFile(**{**dict(row), "state": row["state"] and FileState(row["state"])})
        for row in await opsdb.fetch(_FILES, selection.file_ids)
    ]
    ids = {*selection.package_ids, *(file.package_id for file in files if file.package_id)}
    packages = await opsdb.fetch(_PACKAGES, ids, selection.executed_obs_unit_ids)
    return Catalogue(
        units={
            row["id"]: KnownUnit(row["id"], row["state"] and ObservationState(row["state"]), row["awaited"])
            for row in units
        },
        packages={
            row["id"]: KnownPackage(**{**dict(row), "state": row["state"] and PackageState(row["state"])})
            for row in packages
        },
        files={file.id: file for file in files},
    )


async def archive_copies(
    opsdb: OpsDbReader, package_ids: Iterable[UUID], locations: Collection[str]
) -> dict[UUID, list[ArchiveCopy]]:
    """The copies that archives hold, by package."""
    found: dict[UUID, list[ArchiveCopy]] = {}
    for row in await opsdb.fetch(_COPIES, list(package_ids), list(locations)):
        copy = ArchiveCopy(location=row["location"], key=row["key"], damage=row["damage"])
        found.setdefault(row["entity_id"], []).append(copy)
    return found


async def staged(opsdb: OpsDbReader, job_id: UUID) -> dict[UUID, Staged]:
    """What a job has put in place already, by package."""
    return {row["package_id"]: Staged(**dict(row)) for row in await opsdb.fetch(_STAGED, job_id)}


async def payload(opsdb: OpsDbReader, package_id: UUID) -> list[PlacedFile]:
    """The files of a package."""
    return [PlacedFile(**dict(row)) for row in await opsdb.fetch(_PAYLOAD, package_id)]


async def expired(opsdb: OpsDbReader, now: datetime, locations: Collection[str]) -> list[Expired]:
    """Completed jobs that nobody released and whose time is up, at most a hundred."""
    return [Expired(**dict(row)) for row in await opsdb.fetch(_EXPIRED, now, list(locations))]
