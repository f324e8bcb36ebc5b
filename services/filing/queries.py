"""What ops-db knows about observations and files that are filed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic_core import from_json

from contracts.associations import Exposure
from contracts.files import FilesRefused
from contracts.observations import FilesFiled, ObservationFinished, ObservationStarted, Outcome, Target
from contracts.states import CopyState, FileState, ObservationState
from libs.opsdb.reader import Snapshot
from services.filing.world import KnownFile, KnownUnit

_UNIT = """
SELECT id, instrument, obs_unit, observing_program, obs_mode, target_name, ra_deg, dec_deg, conditions, quality,
       state, start_time, end_time, file_count
FROM executed_obs_unit WHERE id = $1 AND instrument IS NOT NULL AND start_time IS NOT NULL
"""

_EXPOSURE = "SELECT exposure_name, member_type, claims FROM asn_exposure WHERE executed_obs_unit_id = $1"

_FILES = """
SELECT f.executed_obs_unit_id, f.path, f.instrument_module, f.declared_size, f.declared_sha256, f.state,
       c.state AS copy_state
FROM unnest($2::text[]) AS wanted(path)
JOIN raw_data_file f ON f.location = $1 AND md5(f.path) = md5(wanted.path) AND f.path = wanted.path
LEFT JOIN raw_data_file_physical_copy r ON r.raw_data_file_id = f.id
LEFT JOIN physical_copy c ON c.id = r.id AND c.location = f.location
WHERE f.executed_obs_unit_id IS NOT NULL
"""

_LAST = """
SELECT event_id FROM event_record WHERE about = $1 AND stream = $2 AND type = ANY($3::text[])
ORDER BY sequence DESC LIMIT 1
"""

_COUNT = "SELECT count(*) FROM raw_data_file WHERE executed_obs_unit_id = $1 AND id <> ALL($2::uuid[])"

_LOOKED_AGAIN_AFTER = [FilesFiled.type_name(), FilesRefused.type_name()]

_OUTCOMES = {
    ObservationState.FINISHED: Outcome.COMPLETED,
    ObservationState.ABORTED: Outcome.ABORTED,
}


@dataclass(frozen=True, slots=True)
class FiledAlready:
    """Files at the paths of a request: the observation's own, and others' whose copies are still there."""

    mine: Mapping[str, KnownFile] = field(default_factory=dict)
    elsewhere: Mapping[str, UUID] = field(default_factory=dict)


async def unit(view: Snapshot, unit_id: UUID) -> KnownUnit | None:
    """An observation; None if ops-db has no start of it."""
    rows = await view.fetch(_UNIT, unit_id)
    return _unit(dict(rows[0])) if rows else None


async def exposure(view: Snapshot, unit_id: UUID) -> Exposure | None:
    """The exposure that an observation is; None if ops-db does not know that it is one."""
    rows = await view.fetch(_EXPOSURE, unit_id)
    if not rows:
        return None
    [row] = rows
    return Exposure(
        name=row["exposure_name"], member_type=row["member_type"], associations=from_json(row["claims"])
    )


async def files(view: Snapshot, unit_id: UUID, location: str, paths: Sequence[str]) -> FiledAlready:
    """What is filed at these paths of a SOURCE location."""
    mine: dict[str, KnownFile] = {}
    elsewhere: dict[str, UUID] = {}
    for row in await view.fetch(_FILES, location, list(paths)):
        if row["executed_obs_unit_id"] == unit_id:
            mine[row["path"]] = KnownFile(
                row["instrument_module"],
                row["declared_size"],
                row["declared_sha256"],
                FileState(row["state"] or FileState.FILED),
            )
        elif row["copy_state"] != CopyState.DELETED:
            elsewhere[row["path"]] = row["executed_obs_unit_id"]
    return FiledAlready(mine, elsewhere)


async def last(view: Snapshot, unit_id: UUID, stream: str) -> UUID | None:
    """The id of the latest FilesFiled or FilesRefused about an observation."""
    rows = await view.fetch(_LAST, str(unit_id), stream, _LOOKED_AGAIN_AFTER)
    return rows[0]["event_id"] if rows else None


async def file_count(view: Snapshot, unit_id: UUID, but: frozenset[UUID]) -> int:
    """How many files an observation has, apart from some."""
    rows = await view.fetch(_COUNT, unit_id, list(but))
    return int(rows[0][0])


def _unit(row: Mapping[str, Any]) -> KnownUnit:
    target = None
    if row["target_name"] is not None:
        target = Target(name=row["target_name"], ra_deg=row["ra_deg"], dec_deg=row["dec_deg"])
    started = ObservationStarted(
        executed_obs_unit_id=row["id"],
        instrument=row["instrument"],
        start_time=row["start_time"],
        obs_unit=row["obs_unit"],
        observing_program=row["observing_program"],
        target=target,
        obs_mode=row["obs_mode"],
        conditions=from_json(row["conditions"] or "{}"),
    )
    return KnownUnit(started, _finished(row))


def _finished(row: Mapping[str, Any]) -> ObservationFinished | None:
    outcome = _OUTCOMES.get(row["state"])
    if outcome is None:
        return None
    return ObservationFinished(
        executed_obs_unit_id=row["id"],
        instrument=row["instrument"],
        end_time=row["end_time"],
        outcome=outcome,
        file_count=row["file_count"] or 0,
        quality=row["quality"],
    )
