"""What `libs.copies` asks."""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from contracts.packages import ProofMode
from contracts.states import CopyKind, CopyState, WorkState
from libs.copies import holdings, records
from tests.simulation.opsdb.answers import Found, answers, ordered, pick
from tests.simulation.opsdb.queries import common
from tests.simulation.opsdb.tables import Row, Tables

_RECORD = ("id", "name", "size", "sha256", "file_count", "payload_bytes", "priority", "provenance")


@answers(records._RECORD)
def record(tables: Tables, package_id: UUID) -> Found:
    row = tables["raw_data_package"].get((package_id,))
    return pick([row], *_RECORD) if row is not None and row["sha256"] is not None else []


@answers(records._COPY)
def copy(tables: Tables, copy_id: UUID) -> Found:
    row = tables["physical_copy"].get((copy_id,))
    return [] if row is None else [_copy(row)]


def _copy(row: Row) -> Row:
    [columns] = pick(
        [row], "id=copy_id", "entity_id", "location", "path", "size=copy_size", "state=copy_state",
        "scrub_problem_code=code", "scrub_problem_reason=reason", "scrub_problem_remedy=remedy",
    )  # fmt: skip
    return {**columns, "given_up": row["unrepairable_at"] is not None}


def _held(tables: Tables, location: str) -> list[Row]:
    """The copies of packages in an archive, each with its sidecar's key, and when it was read last."""
    transfers = {
        (row["raw_data_package_id"], row["location"]): row
        for row in tables["long_term_archive_transfer"].values()
    }
    return [
        {**copy, **_last_read(copy, transfers.get((copy["entity_id"], location), {}))}
        for copy in common.copies(tables)
        if (copy["kind"], copy["state"], copy["location"])
        == (CopyKind.RAW_DATA_PACKAGE, CopyState.PRESENT, location)
    ]


def _last_read(copy: Row, transfer: Row) -> Row:
    proven = transfer.get("proven_at") if transfer.get("proof_mode") == ProofMode.BYTES else None
    times = [
        when for when in (copy["scrubbed_at"], copy["repaired_at"], proven) if isinstance(when, datetime)
    ]
    return {"sidecar_key": transfer.get("sidecar_key"), "read_at": max(times, default=None)}


@answers(holdings._SUMMED)
def summed(tables: Tables, location: str) -> Found:
    held = _held(tables, location)
    return [{"copies": len(held), "size": sum(int(str(copy["size"] or 0)) for copy in held)}]


@answers(holdings._LONGEST_UNREAD)
def longest_unread(
    tables: Tables, location: str, latest: datetime, before: datetime, but: Collection[UUID], limit: int
) -> Found:
    held = [
        {
            **copy,
            "read_at": when if isinstance(when := copy["read_at"], datetime) and when <= latest else None,
        }
        for copy in _held(tables, location)
        if copy["id"] not in but
    ]
    due = [copy for copy in held if not isinstance(when := copy["read_at"], datetime) or when < before]
    return _with_packages(tables, sorted(due, key=_unread_first))[:limit]


@answers(holdings._OF_PACKAGE)
def of_package(tables: Tables, location: str, package_id: UUID) -> Found:
    return _with_packages(
        tables, [copy for copy in _held(tables, location) if copy["entity_id"] == package_id]
    )


def _unread_first(copy: Row) -> tuple[str, str]:
    return str(copy["read_at"] or ""), str(copy["id"])


def _with_packages(tables: Tables, copies: Iterable[Row]) -> list[Row]:
    found = [(copy, tables["raw_data_package"].get((copy["entity_id"],))) for copy in copies]
    return [
        {**pick([package], *_RECORD)[0], **_copy(copy), **pick([copy], "sidecar_key", "read_at")[0]}
        for copy, package in found
        if package is not None and package["sha256"] is not None
    ]


@answers(records._COPIES)
def copies(tables: Tables, package_id: UUID) -> Found:
    found = [
        copy
        for copy in common.copies(tables)
        if (copy["entity_id"], copy["kind"]) == (package_id, CopyKind.RAW_DATA_PACKAGE)
        and copy["path"] is not None
    ]
    return [_copy(copy) for copy in ordered(found, "location")]


@answers(records._FOUND_FIT)
def found_fit(tables: Tables, package_id: UUID) -> Found:
    row = tables["raw_data_package"].get((package_id,))
    if row is None:
        return []
    times = (row[column] for column in ("verified_at", "sealed_at", "archived_at"))
    return [{"coalesce": next((when for when in times if when is not None), None)}]


@answers(records._LAST_HOP)
def last_hop(tables: Tables, package_id: UUID, location: str) -> Found:
    found = [
        (member, hop)
        for member in tables["bundled_package"].values()
        if member["raw_data_package_id"] == package_id
        for hop in tables["data_transfer"].values()
        if hop["data_transfer_package_id"] == member["data_transfer_package_id"]
        and (hop["destination_location"], hop["state"]) == (location, WorkState.COMPLETED)
    ]
    hops = [
        {
            **pick(
                [hop], "id=transfer_id", "data_transfer_package_id=bundle_id", "origin", "origin_location"
            )[0],
            "attempt": member["attempt"],
        }
        for member, hop in sorted(found, key=_newest_last)
    ]
    return hops[-1:]


def _newest_last(found: tuple[Row, Row]) -> tuple[int, str, int]:
    member, hop = found
    number = hop["id"].int if isinstance(hop["id"], UUID) else 0
    return int(str(member["attempt"])), str(hop["completed_at"]), -number
