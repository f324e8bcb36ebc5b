"""What filing asks."""

from collections.abc import Collection
from uuid import UUID

from services.filing import queries
from tests.simulation.opsdb.answers import Found, answers, pick
from tests.simulation.opsdb.queries import common
from tests.simulation.opsdb.tables import Tables

_UNIT = (
    "id", "instrument", "obs_unit", "observing_program", "obs_mode", "target_name", "ra_deg", "dec_deg",
    "conditions", "quality", "state", "start_time", "end_time", "file_count",
)  # fmt: skip


@answers(queries._UNIT)
def unit(tables: Tables, unit_id: UUID) -> Found:
    row = tables["executed_obs_unit"].get((unit_id,))
    known = row is not None and row["instrument"] is not None and row["start_time"] is not None
    return pick([row], *_UNIT) if row is not None and known else []


@answers(queries._FILES)
def files(tables: Tables, location: str, paths: Collection[str]) -> Found:
    found = []
    for path in paths:
        for file in common.files(tables):
            if (file["location"], file["path"]) == (location, path) and file[
                "executed_obs_unit_id"
            ] is not None:
                copy = common.copy_at_home(tables, file)
                columns = pick(
                    [file], "executed_obs_unit_id", "path", "instrument_module", "declared_size",
                    "declared_sha256", "state",
                )  # fmt: skip
                found.append({**columns[0], "copy_state": copy.get("state")})
    return found


@answers(queries._LAST)
def last(tables: Tables, about: str, stream: str, types: Collection[str]) -> Found:
    found = common.newest(one for one in common.records(tables, stream, types) if one.about == about)
    return [] if found is None else [{"event_id": found.event_id}]


@answers(queries._COUNT)
def count(tables: Tables, unit_id: UUID, but: Collection[UUID]) -> Found:
    mine = [f for f in common.files(tables) if f["executed_obs_unit_id"] == unit_id and f["id"] not in but]
    return [{"count": len(mine)}]
