"""Where something is, why, and what it waits for: the answer to `chasqui explain ID`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.base import Message, Utc
from contracts.problems import Problem
from libs.errors import UserError
from libs.insight.waiting import Waiting, waiting_for
from libs.opsdb.reader import OpsDbReader

TABLES = (
    "executed_obs_unit",
    "raw_data_file",
    "raw_data_package",
    "data_transfer_package",
    "data_transfer",
    "staging_job",
    "physical_copy",
)
"""Where an id is looked for, in this order."""


class Copy(Message):
    """A copy of the thing, or of the package it travels in."""

    of: str
    location: str
    path: str
    state: str
    since: Utc | None
    stays_because: Problem | None


class Step(Message):
    """One event in its life; `after_s` is the time since the step before."""

    at: Utc
    site: str
    service: str
    event: str
    after_s: float | None


class Explanation(Message):
    """Everything the system knows about one id."""

    id: UUID
    kind: str
    name: str
    state: str
    waiting: Waiting
    problem: Problem | None
    copies: tuple[Copy, ...]
    timeline: tuple[Step, ...]
    related: dict[str, tuple[str, ...]]


async def explain(opsdb: OpsDbReader, wanted: UUID) -> Explanation:
    """Explain an observation, file, package, bundle, transfer, staging job or copy.

    Raises:
        UserError: ``unknown_id``.
        Retriable: ``opsdb_unavailable``.
    """
    kind, row = await _find(opsdb, wanted)
    related = await _related(opsdb, kind, row)
    about = {
        str(wanted),
        *(item for key in ("package", "bundle", "transfer") for item in related.get(key, ())),
    }
    if kind == "raw_data_file":
        about.add(str(row["executed_obs_unit_id"]))
    context = await _context(opsdb, kind, row)
    return Explanation(
        id=wanted,
        kind=kind,
        name=_name(kind, row),
        state=str(row.get("state") or "not known yet"),
        waiting=waiting_for(kind, row, context),
        problem=problem_of(row),
        copies=await _copies(opsdb, [UUID(item) for item in about]),
        timeline=await _timeline(opsdb, sorted(about)),
        related=related,
    )


def problem_of(row: Mapping[str, Any], prefix: str = "problem") -> Problem | None:
    """The problem stored in a row's three columns, if there is one."""
    code = row.get(f"{prefix}_code")
    if not code:
        return None
    return Problem(
        code=code, reason=row.get(f"{prefix}_reason") or "", remedy=row.get(f"{prefix}_remedy") or ""
    )


async def _find(opsdb: OpsDbReader, wanted: UUID) -> tuple[str, dict[str, Any]]:
    for table in TABLES:
        row = await opsdb.fetchrow(f"SELECT * FROM {table} WHERE id = $1", wanted)  # noqa: S608  names of this module
        if row is not None:
            return table, dict(row)
    raise UserError(
        "unknown_id",
        f"nothing here has the id {wanted}",
        "Look it up with 'chasqui status' or ask another site's ops-db; it may not be projected yet.",
    )


def _name(kind: str, row: Mapping[str, Any]) -> str:
    for column in ("path", "name", "obs_unit", "folder", "route"):
        if row.get(column):
            return str(row[column])
    return kind.replace("_", " ")


async def _related(opsdb: OpsDbReader, kind: str, row: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    related: dict[str, list[str]] = {}

    def add(what: str, value: object) -> None:
        if value is not None:
            related.setdefault(what, []).append(str(value))

    add("observation", row.get("executed_obs_unit_id"))
    add("package", row.get("raw_data_package_id"))
    add("bundle", row.get("data_transfer_package_id"))
    if kind == "physical_copy":
        add(str(row["kind"]), row["entity_id"])
    queries = {
        "executed_obs_unit": ("package", "SELECT id FROM raw_data_package WHERE executed_obs_unit_id = $1"),
        "data_transfer_package": (
            "package",
            "SELECT id FROM raw_data_package WHERE data_transfer_package_id = $1",
        ),
        "staging_job": (
            "package",
            "SELECT raw_data_package_id AS id FROM staging_job_package WHERE staging_job_id = $1",
        ),
    }
    if kind in queries:
        what, query = queries[kind]
        for found in await opsdb.fetch(query + " ORDER BY 1 LIMIT 100", row["id"]):
            add(what, found["id"])
    for package in related.get("package", [])[:1]:
        add(
            "bundle",
            await opsdb.fetchval(
                "SELECT data_transfer_package_id FROM raw_data_package WHERE id = $1", UUID(package)
            ),
        )
    return {what: tuple(dict.fromkeys(values)) for what, values in related.items()}


async def _context(opsdb: OpsDbReader, kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The facts beyond its own row that decide what a thing waits for."""
    match kind:
        case "raw_data_file" if row.get("raw_data_package_id"):
            package = await opsdb.fetchrow(
                "SELECT * FROM raw_data_package WHERE id = $1", row["raw_data_package_id"]
            )
            return {"package": dict(package) if package else {}}
        case "raw_data_file":
            unit = await opsdb.fetchrow(
                "SELECT * FROM executed_obs_unit WHERE id = $1", row["executed_obs_unit_id"]
            )
            return {"observation": dict(unit) if unit else {}}
        case "executed_obs_unit":
            files = await opsdb.fetch(
                "SELECT state::text AS state, count(*) AS n FROM raw_data_file WHERE executed_obs_unit_id = $1 GROUP BY 1",
                row["id"],
            )
            packages = await opsdb.fetch(
                "SELECT state::text AS state, count(*) AS n FROM raw_data_package WHERE executed_obs_unit_id = $1 GROUP BY 1",
                row["id"],
            )
            return {
                "files": {found["state"]: found["n"] for found in files},
                "packages": {found["state"]: found["n"] for found in packages},
            }
        case _:
            return {}


async def _copies(opsdb: OpsDbReader, entities: Sequence[UUID]) -> tuple[Copy, ...]:
    rows = await opsdb.fetch(
        "SELECT * FROM physical_copy WHERE entity_id = ANY($1) OR id = ANY($1) ORDER BY created_at, location",
        entities,
    )
    return tuple(
        Copy(
            of=str(row["kind"]),
            location=row["location"],
            path=row["path"] or "",
            state=str(row["state"]),
            since=row["deleted_at"] or row["verified_at"] or row["created_at"],
            stays_because=problem_of(dict(row), "refusal"),
        )
        for row in rows
    )


async def _timeline(opsdb: OpsDbReader, about: Sequence[str]) -> tuple[Step, ...]:
    rows = await opsdb.fetch(
        "SELECT time, site, service, type FROM event_record WHERE about = ANY($1) ORDER BY time, stream, sequence LIMIT 1000",
        about,
    )
    steps: list[Step] = []
    before: datetime | None = None
    for row in rows:
        after = (row["time"] - before).total_seconds() if before else None
        steps.append(
            Step(at=row["time"], site=row["site"], service=row["service"], event=row["type"], after_s=after)
        )
        before = row["time"]
    return tuple(steps)
