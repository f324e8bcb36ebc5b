"""What the packager asks ops-db."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.base import Event
from contracts.files import FilesAssigned
from contracts.observations import Target
from contracts.states import ObservationState, PackageState
from libs.opsdb.reader import OpsDbReader
from libs.packaging import PayloadFile
from services.packager.planning import ModuleFiles

_UNIT = """
SELECT instrument, obs_unit, observing_program, obs_mode, target_name, ra_deg, dec_deg,
       state::text AS state, start_time, end_time
FROM executed_obs_unit WHERE id = $1
"""

# A late repeat of an assignment may leave a file planned for a package that was abandoned: it is free, too.
_FREE = """
(file.state = 'scanned' AND file.raw_data_package_id IS NULL
 OR file.state = 'planned' AND package.state = 'abandoned')
"""

_MODULES = f"""
SELECT file.instrument_module AS module, file.location,
       count(*) FILTER (WHERE {_FREE}) AS free_files,
       coalesce(sum(file.size) FILTER (WHERE {_FREE}), 0)::bigint AS free_bytes,
       count(*) FILTER (WHERE file.state = 'filed' AND file.problem_code IS NULL) AS awaited,
       coalesce(array_agg(DISTINCT file.raw_data_package_id)
           FILTER (WHERE file.state = 'planned' AND package.planned_at IS NULL), '{{}}') AS unannounced
FROM raw_data_file file LEFT JOIN raw_data_package package ON package.id = file.raw_data_package_id
WHERE file.executed_obs_unit_id = $1 AND file.instrument_module IS NOT NULL
GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608  made of constants only

_HIGHEST_NUMBER = """
SELECT coalesce(max(number), 0) FROM raw_data_package WHERE executed_obs_unit_id = $1 AND instrument_module = $2
"""

_FREE_FILES = f"""
SELECT file.id, file.path, file.size, file.mtime_ns
FROM raw_data_file file LEFT JOIN raw_data_package package ON package.id = file.raw_data_package_id
WHERE file.executed_obs_unit_id = $1 AND file.instrument_module = $2 AND file.location = $3 AND {_FREE}
ORDER BY file.path COLLATE "C" LIMIT $4
"""  # noqa: S608  made of constants only

_PACKAGE_FILES = """
SELECT id, path, size, mtime_ns, declared_sha256 FROM raw_data_file
WHERE raw_data_package_id = $1 ORDER BY path COLLATE "C"
"""

_SEALED_FILES = """
SELECT id, path, size, mtime_ns, sha256 AS declared_sha256 FROM raw_data_file
WHERE raw_data_package_id = $1 AND sha256 IS NOT NULL ORDER BY path COLLATE "C"
"""

_SEALED_FROM = (
    "SELECT source_location, planned_at FROM raw_data_package WHERE id = $1 AND planned_at IS NOT NULL"
)

_PACKAGE_STATE = "SELECT state::text FROM raw_data_package WHERE id = $1"

_ASSIGNMENTS = "SELECT count(*) FROM event_record WHERE stream = $1 AND about = $2 AND type = $3"

_NEWER = """
SELECT EXISTS (
    SELECT FROM event_record WHERE stream = $1 AND about = $2 AND sequence > $3 AND type = ANY($4::text[])
)
"""


@dataclass(frozen=True, slots=True)
class Unit:
    """An observation as far as its packages need to know it."""

    instrument: str
    obs_unit: str | None
    observing_program: str | None
    obs_mode: str | None
    target: Target | None
    state: ObservationState | None
    start_time: datetime | None
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class SealedFrom:
    """What a package was built from: its SOURCE location, and when it was planned."""

    source: str
    planned_at: datetime


@dataclass(frozen=True, slots=True)
class ChosenFiles:
    """Files of one module or package, and the id of each by its path."""

    files: tuple[PayloadFile, ...]
    ids: dict[str, UUID]
    declared: dict[str, str]


async def unit(opsdb: OpsDbReader, unit_id: UUID) -> Unit | None:
    """An observation; None if ops-db does not know its instrument."""
    row = await opsdb.fetchrow(_UNIT, unit_id)
    if row is None or row["instrument"] is None:
        return None
    return Unit(
        instrument=row["instrument"],
        obs_unit=row["obs_unit"],
        observing_program=row["observing_program"],
        obs_mode=row["obs_mode"],
        target=_target(row),
        state=ObservationState(row["state"]) if row["state"] else None,
        start_time=row["start_time"],
        end_time=row["end_time"],
    )


def _target(row: Any) -> Target | None:  # noqa: ANN401  asyncpg's Record is not generic
    if not row["target_name"]:
        return None
    return Target(name=row["target_name"], ra_deg=row["ra_deg"], dec_deg=row["dec_deg"])


async def modules(opsdb: OpsDbReader, unit_id: UUID) -> list[ModuleFiles]:
    """The files of an observation, counted by module and location."""
    rows = await opsdb.fetch(_MODULES, unit_id)
    return [ModuleFiles(**{**dict(row), "unannounced": tuple(row["unannounced"])}) for row in rows]


async def highest_number(opsdb: OpsDbReader, unit_id: UUID, module: str) -> int:
    """The highest number of a package that was announced for a unit's module; 0 for none."""
    return int(await opsdb.fetchval(_HIGHEST_NUMBER, unit_id, module))


async def free_files(opsdb: OpsDbReader, unit_id: UUID, files: ModuleFiles, limit: int) -> ChosenFiles:
    """Up to `limit` scanned files of a module that are in no package, first paths first."""
    return _chosen(await opsdb.fetch(_FREE_FILES, unit_id, files.module, files.location, limit))


async def package_files(opsdb: OpsDbReader, package_id: UUID) -> ChosenFiles:
    """The files that are assigned to a package, in the order of their paths."""
    return _chosen(await opsdb.fetch(_PACKAGE_FILES, package_id))


async def sealed_files(opsdb: OpsDbReader, package_id: UUID) -> ChosenFiles:
    """The files in a sealed package, each declared to be what was packaged."""
    return _chosen(await opsdb.fetch(_SEALED_FILES, package_id))


async def sealed_from(opsdb: OpsDbReader, package_id: UUID) -> SealedFrom | None:
    """What a package was built from; None if its plan is not known."""
    row = await opsdb.fetchrow(_SEALED_FROM, package_id)
    return None if row is None else SealedFrom(row["source_location"], row["planned_at"])


def _chosen(rows: Sequence[Any]) -> ChosenFiles:
    return ChosenFiles(
        files=tuple(PayloadFile(row["path"], row["size"], row["mtime_ns"]) for row in rows),
        ids={row["path"]: row["id"] for row in rows},
        declared={row["path"]: row["declared_sha256"] for row in rows if row.get("declared_sha256")},
    )


async def package_state(opsdb: OpsDbReader, package_id: UUID) -> PackageState | None:
    """The state of a package; None if it is not known."""
    state = await opsdb.fetchval(_PACKAGE_STATE, package_id)
    return PackageState(state) if state else None


async def assignments(opsdb: OpsDbReader, stream: str, package_id: UUID) -> int:
    """How many FilesAssigned events there are about a package."""
    return int(await opsdb.fetchval(_ASSIGNMENTS, stream, str(package_id), FilesAssigned.type_name()))


async def newer_known(
    opsdb: OpsDbReader, stream: str, sequence: int, unit_id: UUID, kinds: Sequence[type[Event]]
) -> bool:
    """Whether ops-db has applied a later event of these kinds about the same observation."""
    names = [kind.type_name() for kind in kinds]
    return bool(await opsdb.fetchval(_NEWER, stream, str(unit_id), sequence, names))
