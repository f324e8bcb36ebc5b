"""What the packager asks."""

from collections.abc import Collection
from uuid import UUID

from contracts.states import FileState, PackageState
from services.packager import queries
from tests.simulation.opsdb.answers import Found, answers, ordered, pick
from tests.simulation.opsdb.queries import common
from tests.simulation.opsdb.tables import Row, Tables

_UNIT = (
    "instrument", "obs_unit", "observing_program", "obs_mode", "target_name", "ra_deg", "dec_deg", "state",
    "start_time", "end_time",
)  # fmt: skip


@answers(queries._UNIT)
def unit(tables: Tables, unit_id: UUID) -> Found:
    row = tables["executed_obs_unit"].get((unit_id,))
    return [] if row is None else pick([row], *_UNIT)


def _is_free(tables: Tables, file: Row) -> bool:
    if file["state"] == FileState.SCANNED:
        return file["raw_data_package_id"] is None
    abandoned = common.package_of(tables, file).get("state") == PackageState.ABANDONED
    return bool(file["state"] == FileState.PLANNED and abandoned)


@answers(queries._MODULES)
def modules(tables: Tables, unit_id: UUID) -> Found:
    groups: dict[tuple[str, str], list[Row]] = {}
    for file in common.files(tables):
        if file["executed_obs_unit_id"] == unit_id and file["instrument_module"] is not None:
            groups.setdefault((str(file["instrument_module"]), str(file["location"])), []).append(file)
    return [_counted(tables, *place, group) for place, group in sorted(groups.items())]


def _counted(tables: Tables, module: str, location: str, files: list[Row]) -> Row:
    free = [file for file in files if _is_free(tables, file)]
    unannounced = {
        file["raw_data_package_id"]
        for file in files
        if file["state"] == FileState.PLANNED and common.package_of(tables, file).get("planned_at") is None
    }
    return {
        "module": module,
        "location": location,
        "free_files": len(free),
        "free_bytes": sum(int(str(file["size"])) for file in free),
        "awaited": sum(f["state"] == FileState.FILED and f["problem_code"] is None for f in files),
        "unannounced": sorted(unannounced, key=lambda one: one.bytes if isinstance(one, UUID) else b""),
    }


@answers(queries._HIGHEST_NUMBER)
def highest_number(tables: Tables, unit_id: UUID, module: str) -> Found:
    numbers = [
        int(str(row["number"]))
        for row in common.packages(tables)
        if (row["executed_obs_unit_id"], row["instrument_module"]) == (unit_id, module)
        and row["number"] is not None
    ]
    return [{"coalesce": max(numbers, default=0)}]


@answers(queries._FREE_FILES)
def free_files(tables: Tables, unit_id: UUID, module: str, location: str, limit: int) -> Found:
    place = (unit_id, module, location)
    free = [
        file
        for file in common.files(tables)
        if (file["executed_obs_unit_id"], file["instrument_module"], file["location"]) == place
        and _is_free(tables, file)
    ]
    return pick(ordered(free, "path")[:limit], "id", "path", "size", "mtime_ns")


@answers(queries._PACKAGE_FILES)
def package_files(tables: Tables, package_id: UUID) -> Found:
    mine = [file for file in common.files(tables) if file["raw_data_package_id"] == package_id]
    return pick(ordered(mine, "path"), "id", "path", "size", "mtime_ns", "declared_sha256")


@answers(queries._SEALED_FILES)
def sealed_files(tables: Tables, package_id: UUID) -> Found:
    mine = [
        file
        for file in common.files(tables)
        if file["raw_data_package_id"] == package_id and file["sha256"] is not None
    ]
    return pick(ordered(mine, "path"), "id", "path", "size", "mtime_ns", "sha256=declared_sha256")


@answers(queries._SEALED_FROM)
def sealed_from(tables: Tables, package_id: UUID) -> Found:
    row = tables["raw_data_package"].get((package_id,))
    known = row is not None and row["planned_at"] is not None
    return pick([row], "source_location", "planned_at") if row is not None and known else []


@answers(queries._PACKAGE_STATE)
def package_state(tables: Tables, package_id: UUID) -> Found:
    row = tables["raw_data_package"].get((package_id,))
    return [] if row is None else pick([row], "state")


@answers(queries._ASSIGNMENTS)
def assignments(tables: Tables, stream: str, about: str, kind: str) -> Found:
    return [{"count": sum(one.about == about for one in common.records(tables, stream, [kind]))}]


@answers(queries._NEWER)
def newer(tables: Tables, stream: str, about: str, sequence: int, types: Collection[str]) -> Found:
    found = common.records(tables, stream, types)
    return [{"exists": any(one.about == about and one.sequence > sequence for one in found)}]
