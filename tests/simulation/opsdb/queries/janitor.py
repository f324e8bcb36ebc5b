"""What the janitor asks."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from contracts.states import CopyKind, CopyState, HoldKind, ObservationState, PackageState, WorkState
from services.janitor import due, hold_queries, queries, staged_queries
from tests.simulation.opsdb.answers import Found, answers, ordered, pick
from tests.simulation.opsdb.queries import common
from tests.simulation.opsdb.tables import Row, Tables

_THERE = {
    CopyState.PRESENT,
    CopyState.DELETION_POSSIBLE,
    CopyState.DELETION_SCHEDULED,
    CopyState.DELETION_IN_PROGRESS,
    CopyState.DELETION_FAILED,
}
_HISTORY = ("created_at", "state=copy_state", "refusal_code", "refused_at")
_OVER = {WorkState.COMPLETED, WorkState.FAILED}


@answers(queries._PACKAGES)
def packages(tables: Tables, package_ids: Collection[UUID]) -> Found:
    return [_package(tables, package) for package in common.packages(tables) if package["id"] in package_ids]


def _package(tables: Tables, package: Row) -> Row:
    [columns] = pick(
        [package], "id", "state", "size", "sha256", "archived_at", "verified_at", "instrument",
        "executed_obs_unit_id=unit", "planned_at",
    )  # fmt: skip
    bundles = _bundles_of(tables, package["id"])
    arrived = _sites_with_verified(tables, package["id"])
    to = {bundle["destination"] for bundle in bundles if bundle["destination"] is not None}
    return {
        **columns,
        "name": package["name"] if package["name"] is not None else str(package["id"]),
        "sealed_in": common.sealed_in(package),
        "bundled": package["data_transfer_package_id"] is not None,
        "open_bundles": sorted(
            one["id"] for one in bundles if one["state"] not in _OVER and isinstance(one["id"], UUID)
        ),
        "unarrived": sorted(str(site) for site in to - arrived),
    }


def _bundles_of(tables: Tables, package_id: object) -> list[Row]:
    named = [bundle for bundle, member in tables["bundled_package"] if member == package_id]
    return [
        tables["data_transfer_package"][bundle,]
        for bundle in named
        if (bundle,) in tables["data_transfer_package"]
    ]


def _sites_with_verified(tables: Tables, package_id: object) -> set[object]:
    places = {row["name"]: row["site"] for row in tables["data_location"].values()}
    return {
        places[copy["location"]]
        for copy in common.copies(tables)
        if copy["entity_id"] == package_id
        and copy["kind"] == CopyKind.RAW_DATA_PACKAGE
        and copy["verified_at"] is not None
        and copy["location"] in places
    }


@answers(queries._ARCHIVES)
def archives(tables: Tables, package_ids: Collection[UUID], locations: Collection[str]) -> Found:
    found = [
        {**copy, "proven_at": _proven_at(tables, copy["entity_id"], copy["location"])}
        for copy in common.copies(tables)
        if copy["entity_id"] in package_ids
        and copy["location"] in locations
        and copy["state"] == CopyState.PRESENT
    ]
    return pick(
        ordered(found, "location"), "entity_id=package", "location", "path=key", "verified_at",
        "scrub_problem_code=damage", "proven_at",
    )  # fmt: skip


def _proven_at(tables: Tables, package_id: object, location: object) -> object:
    for transfer in tables["long_term_archive_transfer"].values():
        if (transfer["raw_data_package_id"], transfer["location"]) == (package_id, location):
            return transfer["proven_at"] if transfer["state"] == WorkState.COMPLETED else None
    return None


@answers(queries._FILES)
def files(tables: Tables, package_ids: Collection[UUID], locations: Collection[str]) -> Found:
    found = [
        file
        for file in common.files(tables)
        if file["raw_data_package_id"] in package_ids and file["location"] in locations
    ]
    return pick(
        ordered(found, "path"), "id", "location", "path", "size", "mtime_ns", "sha256", "state",
        "raw_data_package_id=package",
    )  # fmt: skip


@answers(queries._COPIES)
def copies(tables: Tables, copy_ids: Collection[UUID]) -> Found:
    found = [copy for copy in common.copies(tables) if copy["id"] in copy_ids and copy["state"] in _THERE]
    return pick(found, "id", *_HISTORY)


@answers(queries._BUFFERED)
def buffered(tables: Tables, package_ids: Collection[UUID], locations: Collection[str]) -> Found:
    found = [
        copy
        for copy in common.copies(tables)
        if copy["entity_id"] in package_ids
        and copy["kind"] == CopyKind.RAW_DATA_PACKAGE
        and copy["location"] in locations
        and copy["state"] in _THERE
    ]
    return pick(ordered(found, "location"), "entity_id=package", "location", "path", "size", *_HISTORY)


@answers(due._COPIES)
def due_copies(tables: Tables, location: str, since: datetime, copy_id: UUID, limit: int) -> Found:
    def place(copy: Row) -> tuple[datetime, UUID]:
        at, one = copy["created_at"], copy["id"]
        assert isinstance(at, datetime) and isinstance(one, UUID)
        return at, one

    there = [
        copy
        for copy in common.copies(tables)
        if copy["location"] == location
        and copy["state"] not in (None, CopyState.DELETED)
        and copy["created_at"] is not None
        and place(copy) > (since, copy_id)
    ]
    found = [
        (copy, _archived(tables, _package_holding(tables, copy))) for copy in sorted(there, key=place)[:limit]
    ]
    return [
        {
            **pick([copy], "created_at", "id")[0],
            "package": package.get("id"),
            "archived_at": package.get("archived_at"),
        }
        for copy, package in found
    ]


def _package_holding(tables: Tables, copy: Row) -> object:
    """The package that a copy is, or is a file of."""
    if copy["kind"] == CopyKind.RAW_DATA_FILE:
        file = tables["raw_data_file"].get((copy["entity_id"],), {})
        if file.get("raw_data_package_id") is not None:
            return file["raw_data_package_id"]
    return copy["entity_id"]


def _archived(tables: Tables, package_id: object) -> Row:
    package = tables["raw_data_package"].get((package_id,), {})
    return package if package.get("state") == PackageState.ARCHIVED else {}


@answers(queries._ANNOUNCED)
def announced(tables: Tables, location: str, before: datetime, limit: int) -> Found:
    found = {
        _package_holding(tables, copy)
        for copy in common.copies(tables)
        if copy["location"] == location
        and copy["state"] == CopyState.DELETION_SCHEDULED
        and isinstance(at := copy["scheduled_at"], datetime)
        and at < before
    }
    return [{"package": package} for package in sorted(found, key=str)[:limit]]


@answers(queries._OBSERVING)
def observing(tables: Tables, instrument: str) -> Found:
    running = any(
        (unit["instrument"], unit["state"]) == (instrument, ObservationState.RUNNING)
        for unit in tables["executed_obs_unit"].values()
    )
    return [{"exists": running}]


def _in_use(job: Row) -> bool:
    return job["released_at"] is None and job["state"] != WorkState.FAILED


@answers(staged_queries._JOB)
def job(tables: Tables, job_id: UUID) -> Found:
    row = tables["staging_job"].get((job_id,))
    if row is None:
        return []
    place = (row["location"], row["folder"])
    sharing = [
        other["id"]
        for other in tables["staging_job"].values()
        if None not in place
        and (other["location"], other["folder"]) == place
        and other["id"] != job_id
        and _in_use(other)
    ]
    return [
        {**pick([row], "location", "folder", "state", "released_at")[0], "sharing": sorted(sharing, key=str)}
    ]


@answers(staged_queries._PACKAGES)
def staged_packages(tables: Tables, job_id: UUID) -> Found:
    members = [member for holder, member in tables["staging_job_package"] if holder == job_id]
    found = [(member, tables["raw_data_package"].get((member,), {})) for member in members]
    return [
        {"id": member, "instrument": row.get("instrument"), "unit": row.get("executed_obs_unit_id")}
        for member, row in sorted(found, key=lambda one: str(one[0]))
    ]


@answers(staged_queries._COPIES)
def staged_copies(tables: Tables, job_id: UUID, location: str) -> Found:
    found = [
        copy
        for holder, member in tables["staging_job_package"]
        if holder == job_id and not _held_by_another(tables, job_id, member, location)
        for copy in common.copies(tables)
        if copy["entity_id"] == member
        and copy["location"] == location
        and copy["state"] is not None
        and copy["state"] != CopyState.DELETED
    ]
    return pick(
        ordered(found, "entity_id"), "entity_id", "size", "created_at", "state", "refusal_code", "refused_at"
    )


def _held_by_another(tables: Tables, job_id: UUID, member: object, location: str) -> bool:
    others = [
        tables["staging_job"].get((holder,))
        for holder, held in tables["staging_job_package"]
        if held == member and holder != job_id
    ]
    return any(o is not None and o["location"] == location and _in_use(o) for o in others)


@answers(staged_queries._DONE_WITH)
def done_with(tables: Tables, location: str, on_disk: Collection[UUID]) -> Found:
    staged = {
        copy["entity_id"]
        for copy in common.copies(tables)
        if copy["location"] == location and copy["state"] not in (None, CopyState.DELETED)
    }
    left = {holder for holder, member in tables["staging_job_package"] if member in staged}
    found = [
        row
        for row in tables["staging_job"].values()
        if row["location"] == location and not _in_use(row) and (row["id"] in on_disk or row["id"] in left)
    ]
    return pick(ordered(found, "id"), "id")


@answers(hold_queries._STANDING)
def standing(tables: Tables) -> Found:
    found = [
        {
            **pick([hold], "id", "kind", "target", "placed_by", "placed_at")[0],
            "reason": hold["reason"] or "",
            "package": _package_of_held(tables, hold),
        }
        for hold in tables["deletion_hold"].values()
        if hold["released_at"] is None and hold["kind"] is not None and hold["target"] is not None
    ]
    return sorted(found, key=lambda one: (str(one["placed_at"]), str(one["id"])))


def _package_of_held(tables: Tables, hold: Row) -> object:
    if hold["kind"] != HoldKind.RAW_DATA_FILE:
        return None
    files = {str(row["id"]): row for row in common.files(tables)}
    return files.get(str(hold["target"]).lower(), {}).get("raw_data_package_id")
