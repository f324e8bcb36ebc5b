"""What the scanner asks."""

from collections.abc import Collection, Iterable
from uuid import UUID

from contracts.states import FileState
from services.scanner import queries
from tests.simulation.opsdb.answers import Found, answers, pick
from tests.simulation.opsdb.queries import common
from tests.simulation.opsdb.tables import Row, Tables

_COLUMNS = (
    "id", "executed_obs_unit_id", "instrument", "instrument_module", "location", "path", "declared_size",
    "filed_at", "scanned_at", "problem_code",
)  # fmt: skip


def _looked_for(rows: Iterable[Row]) -> Found:
    wanted = [
        row
        for row in rows
        if row["state"] in {FileState.FILED, FileState.MISSING} and row["path"] is not None
    ]
    return [
        {**columns, "missing": row["state"] == FileState.MISSING}
        for columns, row in zip(pick(wanted, *_COLUMNS), wanted, strict=True)
    ]


@answers(queries._LOOKED_FOR)
def looked_for(tables: Tables, locations: Collection[str]) -> Found:
    return _looked_for(row for row in common.files(tables) if row["location"] in locations)


@answers(queries._THESE)
def these(tables: Tables, file_ids: Collection[UUID]) -> Found:
    return _looked_for(row for row in common.files(tables) if row["id"] in file_ids)


@answers(queries._LAST)
def last(tables: Tables, about: Collection[str], stream: str, types: Collection[str]) -> Found:
    found = []
    for one in sorted(set(about)):
        newest = common.newest(r for r in common.records(tables, stream, types) if r.about == one)
        if newest is not None:
            found.append({"about": one, "event_id": newest.event_id})
    return found


@answers(queries._FILED)
def filed(tables: Tables, location: str, paths: Collection[str], deleted: str) -> Found:
    return [
        {"path": file["path"]}
        for path in paths
        for file in common.files(tables)
        if (file["location"], file["path"]) == (location, path)
        and common.copy_at_home(tables, file).get("state") != deleted
    ]


@answers(queries._CLEARED)
def cleared(tables: Tables, location: str, paths: Collection[str], deleted: str) -> Found:
    return [
        {"path": file["path"]}
        for path in paths
        for file in common.files(tables)
        if (file["location"], file["path"]) == (location, path)
        and common.copy_at_home(tables, file).get("state") == deleted
    ]


@answers(queries._TOLD)
def told(
    tables: Tables, location: str, paths: Collection[str], sizes: Collection[int], times: Collection[int]
) -> Found:
    known = {
        (row["path"], row["size"], row["mtime_ns"])
        for row in tables["unfiled_file"].values()
        if row["location"] == location
    }
    return [{"path": one[0]} for one in zip(paths, sizes, times, strict=True) if one in known]
