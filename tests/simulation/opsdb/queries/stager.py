"""What the stager asks."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from contracts.states import CopyState, FileState, WorkState
from services.stager import queries
from tests.simulation.opsdb.answers import Found, answers, pick
from tests.simulation.opsdb.queries import common
from tests.simulation.opsdb.tables import Row, Tables

_AWAITED = {FileState.FILED, FileState.SCANNED, FileState.PLANNED}


@answers(queries._JOB)
def job(tables: Tables, job_id: UUID) -> Found:
    row = tables["staging_job"].get((job_id,))
    return [] if row is None else pick([row], "state", "released_at")


@answers(queries._UNITS)
def units(tables: Tables, unit_ids: Collection[UUID]) -> Found:
    return [
        {"id": row["id"], "state": row["state"], "awaited": _awaited(tables, row["id"])}
        for row in tables["executed_obs_unit"].values()
        if row["id"] in unit_ids
    ]


def _awaited(tables: Tables, unit_id: object) -> int:
    return sum(f["executed_obs_unit_id"] == unit_id and f["state"] in _AWAITED for f in common.files(tables))


@answers(queries._FILES)
def files(tables: Tables, file_ids: Collection[UUID]) -> Found:
    found = [file for file in common.files(tables) if file["id"] in file_ids and file["path"] is not None]
    return pick(found, "id", "path", "size", "state", "raw_data_package_id=package_id")


@answers(queries._PACKAGES)
def packages(tables: Tables, ids: Collection[UUID], unit_ids: Collection[UUID]) -> Found:
    found = [p for p in common.packages(tables) if p["id"] in ids or p["executed_obs_unit_id"] in unit_ids]
    return pick(
        found, "id", "executed_obs_unit_id=unit_id", "state", "name", "size", "sha256", "payload_bytes"
    )


@answers(queries._COPIES)
def copies(tables: Tables, package_ids: Collection[UUID], locations: Collection[str]) -> Found:
    found = [
        copy
        for copy in common.copies(tables)
        if copy["entity_id"] in package_ids
        and copy["location"] in locations
        and copy["state"] == CopyState.PRESENT
    ]
    return pick(found, "entity_id", "location", "path=key", "scrub_problem_code=damage")


@answers(queries._STAGED)
def staged(tables: Tables, job_id: UUID) -> Found:
    found = [
        row
        for row in tables["staging_job_package"].values()
        if row["staging_job_id"] == job_id and row["staged_at"] is not None
    ]
    return pick(found, "raw_data_package_id=package_id", "file_count", "payload_bytes")


@answers(queries._PAYLOAD)
def payload(tables: Tables, package_id: UUID) -> Found:
    found = [
        file
        for file in common.files(tables)
        if file["raw_data_package_id"] == package_id and file["state"] == FileState.PACKAGED
    ]
    return pick(found, "path", "size", "mtime_ns", "sha256")


@answers(queries._EXPIRED)
def expired(tables: Tables, now: datetime, locations: Collection[str]) -> Found:
    def is_due(row: Row) -> bool:
        due = row["expires_at"]
        return (
            row["state"] == WorkState.COMPLETED
            and row["released_at"] is None
            and isinstance(due, datetime)
            and due <= now
            and row["location"] in locations
        )

    found = sorted(filter(is_due, tables["staging_job"].values()), key=lambda row: str(row["expires_at"]))
    return pick(found[:100], "id", "location", "folder")
