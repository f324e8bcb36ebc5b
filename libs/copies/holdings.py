"""What an archive holds by the ops-db's record, and when each copy of it was read in full last."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.packages import PackageRecord
from libs.copies.records import COPY_COLUMNS, RECORD_COLUMNS, CopyOnRecord, copy_of, record_of
from libs.opsdb.reader import OpsDbReader

FUTURE = timedelta(hours=1)
"""A copy that was read later than this from now was read by a clock that was wrong: it counts as not read."""

READ_AT = """
greatest(copy.scrubbed_at, copy.repaired_at, CASE WHEN transfer.proof_mode = 'bytes' THEN transfer.proven_at END)
"""
"""When its bytes were read last; a proof by what the server says of them does not count."""

HELD = """
FROM physical_copy copy
LEFT JOIN long_term_archive_transfer transfer
    ON transfer.raw_data_package_id = copy.entity_id AND transfer.location = copy.location
LEFT JOIN raw_data_package package ON package.id = copy.entity_id
WHERE copy.kind = 'raw_data_package' AND copy.state = 'present' AND copy.location = $1
"""
"""The copies at the location $1."""

_SUMMED = f"SELECT count(*) AS copies, coalesce(sum(copy.size), 0)::bigint AS size {HELD}"

_LONGEST_UNREAD = f"""
SELECT * FROM (
    SELECT {RECORD_COLUMNS}, {COPY_COLUMNS}, transfer.sidecar_key,
           CASE WHEN {READ_AT} <= $2 THEN {READ_AT} END AS read_at
    {HELD} AND package.sha256 IS NOT NULL AND NOT copy.id = ANY($4::uuid[])
) held
WHERE read_at IS NULL OR read_at < $3
ORDER BY read_at NULLS FIRST, copy_id LIMIT $5
"""  # noqa: S608  made of constants only

_OF_PACKAGE = f"""
SELECT {RECORD_COLUMNS}, {COPY_COLUMNS}, transfer.sidecar_key, {READ_AT} AS read_at
{HELD} AND package.sha256 IS NOT NULL AND copy.entity_id = $2
"""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What an archive holds: how many copies, of how many bytes in all."""

    copies: int
    size: int


@dataclass(frozen=True, slots=True)
class ArchivedCopy:
    """A package in an archive.

    Attributes:
        id: The copy's.
        copy: What is on record of it; its path is the package's key.
        sidecar_key: Of the document beside it; None if nothing told of one.
        read_at: When it was read in full last; None if it never was.
    """

    id: UUID
    package: PackageRecord
    copy: CopyOnRecord
    sidecar_key: str | None
    read_at: datetime | None


async def holdings(opsdb: OpsDbReader, location: str) -> Holdings:
    """What an archive holds in all."""
    row = await opsdb.fetchrow(_SUMMED, location)
    return Holdings(0, 0) if row is None else Holdings(row["copies"], row["size"])


async def longest_unread(
    opsdb: OpsDbReader,
    location: str,
    *,
    now: datetime,
    before: datetime,
    but: Collection[UUID] = (),
    limit: int,
) -> list[ArchivedCopy]:
    """The copies of an archive that were not read for longest, those never read first.

    Args:
        opsdb: The site's ops-db.
        location: The archive.
        now: The time.
        before: Only those that were last read before this.
        but: Not these copies.
        limit: Not more than this.
    """
    rows = await opsdb.fetch(_LONGEST_UNREAD, location, now + FUTURE, before, list(but), limit)
    return [_copy(row) for row in rows]


async def archived_copy(opsdb: OpsDbReader, package_id: UUID, location: str) -> ArchivedCopy | None:
    """The copy of a package in an archive; None if it is not known to have one."""
    row = await opsdb.fetchrow(_OF_PACKAGE, location, package_id)
    return None if row is None else _copy(row)


def _copy(row: Any) -> ArchivedCopy:  # noqa: ANN401  asyncpg's Record is not generic
    return ArchivedCopy(
        id=row["copy_id"],
        package=record_of(row),
        copy=copy_of(row),
        sidecar_key=row["sidecar_key"],
        read_at=row["read_at"],
    )
