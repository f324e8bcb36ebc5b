"""What the bundler asks."""

from collections.abc import Collection
from uuid import UUID

from contracts.states import CopyState, PackageState, WorkState
from services.bundler import queries
from tests.simulation.opsdb.answers import Found, answers, ordered, pick
from tests.simulation.opsdb.queries import common
from tests.simulation.opsdb.tables import Row, Tables

_COLUMNS = (
    "id", "name", "size", "sha256", "file_count", "payload_bytes", "priority", "provenance", "sealed_at",
)  # fmt: skip

_STAYS = {CopyState.PRESENT, CopyState.DELETION_POSSIBLE, CopyState.DELETION_FAILED}


@answers(queries._WAITING)
def waiting(tables: Tables, site: str, buffers: Collection[str], limit: int) -> Found:
    found = []
    for package in common.packages(tables):
        if not _waits(package, site):
            continue
        for copy in common.copies(tables):
            there = copy["entity_id"] == package["id"] and copy["state"] in _STAYS
            if there and copy["location"] in buffers:
                found.append({**package, "location": copy["location"], "path": copy["path"]})
    return pick(ordered(found, "priority", "sealed_at", "id")[:limit], *_COLUMNS, "location", "path")


def _waits(package: Row, site: str) -> bool:
    return (
        package["data_transfer_package_id"] is None
        and package["state"] in {PackageState.WAITING, PackageState.ARCHIVED}
        and package["sealed_at"] is not None
        and common.sealed_in(package) == site
    )


@answers(queries._IN_FLIGHT)
def in_flight(tables: Tables, route: str, site: str) -> Found:
    under_way = {WorkState.PENDING, WorkState.SCHEDULED, WorkState.IN_PROGRESS, WorkState.FAILED}
    bundles = [
        bundle
        for bundle in tables["data_transfer_package"].values()
        if (bundle["route"], bundle["origin"]) == (route, site)
        and bundle["state"] in under_way
        and not any(_left(hop, bundle, site) for hop in tables["data_transfer"].values())
    ]
    return [{"count": len(bundles)}]


def _left(hop: Row, bundle: Row, site: str) -> bool:
    return (
        hop["data_transfer_package_id"] == bundle["id"]
        and (hop["origin"] or site) == site
        and hop["state"] in {WorkState.COMPLETED, WorkState.FAILED}
    )


@answers(queries._NEWER)
def newer(tables: Tables, stream: str, sequence: int, types: Collection[str]) -> Found:
    return [{"exists": any(one.sequence > sequence for one in common.records(tables, stream, types))}]


@answers(queries._SENT_AGAIN)
def sent_again(tables: Tables, package_id: UUID, attempt: int) -> Found:
    members = tables["bundled_package"].values()
    later = [m for m in members if m["raw_data_package_id"] == package_id and m["attempt"] is not None]
    return [{"exists": any(int(str(member["attempt"])) > attempt for member in later)}]


@answers(queries._ROUTE)
def route(tables: Tables, bundle: UUID) -> Found:
    row = tables["data_transfer_package"].get((bundle,))
    return [] if row is None else pick([row], "route")
