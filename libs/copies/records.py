"""What ops-db has on record of a package and of its copies."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.copies import CopyRef, copy_id
from contracts.packages import PackageRecord, Provenance
from contracts.problems import Problem
from contracts.states import CopyKind, CopyState
from libs.opsdb.reader import OpsDbReader

THERE = ("present", "deletion_possible", "deletion_scheduled", "deletion_in_progress", "deletion_failed")
"""States of a copy whose bytes are, or may still be, where they were put."""

RECORD_COLUMNS = """
package.id, package.name, package.size, package.sha256, package.file_count, package.payload_bytes,
package.priority, package.provenance::text AS provenance
"""
"""What `record_of` needs of a row of raw_data_package."""

_RECORD = f"SELECT {RECORD_COLUMNS} FROM raw_data_package package WHERE id = $1 AND sha256 IS NOT NULL"  # noqa: S608  made of constants only

COPY_COLUMNS = """
copy.id AS copy_id, copy.entity_id, copy.location, copy.path, copy.size AS copy_size, copy.state::text AS copy_state,
copy.scrub_problem_code AS code, copy.scrub_problem_reason AS reason, copy.scrub_problem_remedy AS remedy,
copy.unrepairable_at IS NOT NULL AS given_up
"""
"""What `copy_of` needs of a row of physical_copy; the names are no package's."""

_COPY = f"SELECT {COPY_COLUMNS} FROM physical_copy copy WHERE id = $1"  # noqa: S608  made of constants only

_COPIES = f"""
SELECT {COPY_COLUMNS} FROM physical_copy copy
WHERE entity_id = $1 AND kind = 'raw_data_package' AND path IS NOT NULL ORDER BY location
"""  # noqa: S608  made of constants only

_FOUND_FIT = "SELECT coalesce(verified_at, sealed_at, archived_at) FROM raw_data_package WHERE id = $1"

_LAST_HOP = """
SELECT hop.id AS transfer_id, hop.data_transfer_package_id AS bundle_id, hop.origin, hop.origin_location,
       member.attempt
FROM bundled_package member
JOIN data_transfer hop ON hop.data_transfer_package_id = member.data_transfer_package_id
WHERE member.raw_data_package_id = $1 AND hop.destination_location = $2 AND hop.state = 'completed'
ORDER BY member.attempt DESC, hop.completed_at DESC, hop.id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class CopyOnRecord:
    """A copy of a package as ops-db knows it.

    Attributes:
        state: None if nothing told of its bytes yet.
        problem: What reading it in full found last; None if that was nothing, or it was repaired since.
        given_up: Whether nothing was found to make it whole again.
    """

    ref: CopyRef
    state: CopyState | None
    problem: Problem | None
    given_up: bool


@dataclass(frozen=True, slots=True)
class Hop:
    """How a package came to a location.

    Attributes:
        origin: The site it was sent from; `origin_location` is the BUFFER there.
        attempt: How many times it had been sent by then.
    """

    transfer_id: UUID
    bundle_id: UUID
    origin: str
    origin_location: str
    attempt: int


async def package_record(opsdb: OpsDbReader, package_id: UUID) -> PackageRecord | None:
    """A sealed package; None if ops-db does not know it as sealed."""
    row = await opsdb.fetchrow(_RECORD, package_id)
    return None if row is None else record_of(row)


def record_of(row: Any) -> PackageRecord:  # noqa: ANN401  asyncpg's Record is not generic
    """The package of a row with `RECORD_COLUMNS`."""
    return PackageRecord(
        package_id=row["id"],
        name=row["name"],
        size=row["size"],
        sha256=row["sha256"],
        file_count=row["file_count"],
        payload_bytes=row["payload_bytes"],
        priority=row["priority"],
        provenance=Provenance.model_validate_json(row["provenance"]),
    )


async def copy_on_record(opsdb: OpsDbReader, package_id: UUID, location: str) -> CopyOnRecord | None:
    """The copy of a package at a location; None if there never was one."""
    row = await opsdb.fetchrow(_COPY, copy_id(CopyKind.RAW_DATA_PACKAGE, package_id, location))
    return None if row is None else copy_of(row)


async def copies_of(opsdb: OpsDbReader, package_id: UUID) -> list[CopyOnRecord]:
    """Every copy of a package that there is or was, by the names of their locations."""
    return [copy_of(row) for row in await opsdb.fetch(_COPIES, package_id)]


async def found_fit_at(opsdb: OpsDbReader, package_id: UUID) -> datetime | None:
    """When a package was found fit for its archive: verified at the end of a hop, or sealed where the archive is."""
    when: datetime | None = await opsdb.fetchval(_FOUND_FIT, package_id)
    return when


def copy_of(row: Any) -> CopyOnRecord:  # noqa: ANN401  asyncpg's Record is not generic
    """The copy of a row with `COPY_COLUMNS`."""
    return CopyOnRecord(
        ref=CopyRef(
            kind=CopyKind.RAW_DATA_PACKAGE,
            entity_id=row["entity_id"],
            location=row["location"],
            path=row["path"],
            size=row["copy_size"] or 0,
        ),
        state=CopyState(row["copy_state"]) if row["copy_state"] else None,
        problem=_problem(row),
        given_up=row["given_up"],
    )


def _problem(row: Any) -> Problem | None:  # noqa: ANN401  asyncpg's Record is not generic
    if row["code"] is None:
        return None
    return Problem(code=row["code"], reason=row["reason"] or "", remedy=row["remedy"] or "")


async def last_hop(opsdb: OpsDbReader, package_id: UUID, location: str) -> Hop | None:
    """The hop that brought a package to a BUFFER last; None if none is known to have done so."""
    row = await opsdb.fetchrow(_LAST_HOP, package_id, location)
    return None if row is None else Hop(**dict(row))
