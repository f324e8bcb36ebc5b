"""What ops-db knows about filed and unfiled files."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from contracts.files import FilesRefused
from contracts.observations import FilesFiled
from contracts.states import CopyState
from libs.opsdb.reader import OpsDbReader, Snapshot
from libs.storage.walk import FoundFile
from services.scanner.watchlist import Wanted

_COLUMNS = """
SELECT f.id, f.executed_obs_unit_id, f.instrument, f.instrument_module, f.location, f.path, f.declared_size,
       f.filed_at, f.scanned_at, f.problem_code, f.state = 'missing' AS missing
FROM raw_data_file f
"""

_LOOKED_FOR = (
    _COLUMNS + "WHERE f.location = ANY($1::text[]) AND f.state IN ('filed', 'missing') AND f.path IS NOT NULL"
)

_THESE = _COLUMNS + "WHERE f.id = ANY($1::uuid[]) AND f.state IN ('filed', 'missing') AND f.path IS NOT NULL"

_LAST = """
SELECT DISTINCT ON (about) about, event_id FROM event_record
WHERE about = ANY($1::text[]) AND stream = $2 AND type = ANY($3::text[])
ORDER BY about, sequence DESC
"""

_FILED = """
SELECT f.path
FROM unnest($2::text[]) AS found(path)
JOIN raw_data_file f ON f.location = $1 AND md5(f.path) = md5(found.path) AND f.path = found.path
LEFT JOIN raw_data_file_physical_copy r ON r.raw_data_file_id = f.id
LEFT JOIN physical_copy c ON c.id = r.id AND c.location = f.location
WHERE c.state IS DISTINCT FROM $3::copy_state
"""

_CLEARED = """
SELECT f.path
FROM unnest($2::text[]) AS found(path)
JOIN raw_data_file f ON f.location = $1 AND md5(f.path) = md5(found.path) AND f.path = found.path
JOIN raw_data_file_physical_copy r ON r.raw_data_file_id = f.id
JOIN physical_copy c ON c.id = r.id AND c.location = f.location
WHERE c.state = $3::copy_state
"""

_TOLD = """
SELECT u.path
FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS found(path, size, mtime_ns)
JOIN unfiled_file u ON u.location = $1 AND md5(u.path) = md5(found.path) AND u.path = found.path
WHERE u.size = found.size AND u.mtime_ns = found.mtime_ns
"""

_LOOKED_AGAIN_AFTER = [FilesFiled.type_name(), FilesRefused.type_name()]


@dataclass(frozen=True, slots=True)
class LookedFor:
    """A file that ops-db says is filed or missing.

    Attributes:
        filed_at: When it was filed.
        told: The code with which it was reported missing, if it was.
    """

    wanted: Wanted
    filed_at: datetime | None
    told: str | None


async def looked_for(view: Snapshot, stream: str, locations: Sequence[str]) -> list[LookedFor]:
    """All files of these SOURCE locations that the scanner has to look for."""
    rows = await view.fetch(_LOOKED_FOR, list(locations))
    before = {str(row["executed_obs_unit_id"]) for row in rows if row["scanned_at"] is not None}
    last = {
        row["about"]: row["event_id"]
        for row in await view.fetch(_LAST, list(before), stream, _LOOKED_AGAIN_AFTER)
    }
    return [_looked_for(row, last.get(str(row["executed_obs_unit_id"]))) for row in rows]


async def these(opsdb: OpsDbReader, file_ids: Collection[UUID], after: UUID | None) -> list[Wanted]:
    """Those of these files that the scanner has to look for."""
    return [_wanted(row, after) for row in await opsdb.fetch(_THESE, list(file_ids))]


async def filed(opsdb: OpsDbReader, location: str, paths: Sequence[str]) -> set[str]:
    """Those of these paths whose file was filed and is still the one that was filed."""
    rows = await opsdb.fetch(_FILED, location, list(paths), CopyState.DELETED.value)
    return {row["path"] for row in rows}


async def cleared(opsdb: OpsDbReader, location: str, paths: Sequence[str]) -> set[str]:
    """Those of these paths whose file was filed, and deleted since."""
    rows = await opsdb.fetch(_CLEARED, location, list(paths), CopyState.DELETED.value)
    return {row["path"] for row in rows}


async def told_unfiled(opsdb: OpsDbReader, location: str, files: Sequence[FoundFile]) -> set[str]:
    """Those of these files that were reported as unfiled just as they are."""
    rows = await opsdb.fetch(
        _TOLD,
        location,
        [file.path for file in files],
        [file.size for file in files],
        [file.mtime_ns for file in files],
    )
    return {row["path"] for row in rows}


def _looked_for(row: asyncpg.Record, last: UUID | None) -> LookedFor:
    after = last if row["scanned_at"] is not None else None
    return LookedFor(_wanted(row, after), row["filed_at"], row["problem_code"] if row["missing"] else None)


def _wanted(row: asyncpg.Record, after: UUID | None) -> Wanted:
    return Wanted(
        file_id=row["id"],
        unit_id=row["executed_obs_unit_id"],
        instrument=row["instrument"],
        module=row["instrument_module"],
        location=row["location"],
        path=row["path"],
        size=row["declared_size"],
        after=after,
    )
