"""Where something is, why, and what it waits for: the answer to `chasqui explain ID`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.base import Message, Utc
from contracts.problems import Problem
from libs.errors import UserError
from libs.insight.members import Member
from libs.insight.obstacles import Obstacle, obstacles
from libs.insight.sight import Sight
from libs.insight.surroundings import context_of, related_to
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
    "dead_letter",
    "deletion_hold",
    "optical_imaging_task",
    "observation_asset",
    "camera",
)
"""Where an id is looked for, in this order."""

UIDS = frozenset({"optical_imaging_task", "observation_asset", "camera"})
"""Tables whose ``id`` is a network's number; there it is the ``uid`` that is looked for."""

SOURCES = {"camera": "camera JOIN device USING (uid)"}
KINDS = {"asn_association": "association", "optical_imaging_task": "task", "observation_asset": "asset"}
STATES = {
    "optical_imaging_task": "status",
    "observation_asset": "transfer_state",
    "camera": "cooler_policy",
}
OF_ITSELF = frozenset({"asn_association", *UIDS})
"""What happened to what belongs to these is for its own explanation: there may be hundreds."""

MOST_COPIES = 1_000
MOST_RECORDS = 20_000
TIMELINE = """
    SELECT time, site, service, type FROM event_record
    WHERE about = ANY($1) ORDER BY time, stream, sequence LIMIT $2
"""
COPIES = """
    SELECT id, kind::text AS kind, location, path, state::text AS state, created_at, verified_at, deleted_at,
        refusal_code, refusal_reason, refusal_remedy
    FROM physical_copy WHERE entity_id = ANY($1) OR id = ANY($1)
    ORDER BY created_at, location, id LIMIT $2
"""


class Copy(Message):
    """A copy of the thing, or of the package it travels in.

    Attributes:
        since: When it came to be as it is.
        stays_because: Why the janitor has not deleted it, as last looked at.
    """

    of: str
    location: str
    path: str
    state: str
    since: Utc | None
    stays_because: Problem | None


class Step(Message):
    """What happened in its life, once or several times in a row.

    Attributes:
        at: When, for the first time.
        event: The event's type.
        times: How many such events came in a row (long lists travel in parts).
        after_s: Seconds since the step before began.
    """

    at: Utc
    site: str
    service: str
    event: str
    times: int
    after_s: float | None


class Explanation(Message):
    """Everything the system knows about one id.

    Attributes:
        id: A UUID; of an association, its own id.
        obstacles: What stands in the way, as far as this site can see; those who act next at another site
            (`waiting.at`) are seen there.
        members: Of an association.
    """

    id: UUID | str
    kind: str
    name: str
    state: str
    waiting: Waiting
    obstacles: tuple[Obstacle, ...]
    problem: Problem | None
    copies: tuple[Copy, ...]
    timeline: tuple[Step, ...]
    related: dict[str, tuple[UUID | str, ...]]
    members: tuple[Member, ...] = ()


async def explain(sight: Sight, wanted: UUID | str) -> Explanation:
    """Explain an observation, file, package, bundle, transfer, staging job, copy, dead letter, hold or association;
    a task, asset or camera of a telescope network.

    Args:
        sight: The site.
        wanted: A UUID; the id of an association, in upper case.

    Raises:
        UserError: ``unknown_id``.
        Retriable: ``opsdb_unavailable`` or ``bus_unavailable``.
    """
    opsdb = sight.opsdb
    kind, row = await _find(opsdb, wanted)
    related = await related_to(opsdb, kind, row)
    around = {} if kind in OF_ITSELF else related
    about = [wanted, *(item for ids in around.values() for item in ids)]
    holders = [wanted] if kind == "physical_copy" else [wanted, *related.get("package", ())]
    context = await context_of(opsdb, sight.place.deployment, kind, row)
    waiting = waiting_for(kind, row, context)
    return Explanation(
        id=wanted,
        kind=KINDS.get(kind, kind),
        name=_name(kind, row),
        state=_state(kind, row),
        waiting=waiting,
        obstacles=await obstacles(sight, waiting, about),
        problem=problem_of(row),
        copies=await _copies(opsdb, [one for one in holders if isinstance(one, UUID)]),
        timeline=await _timeline(opsdb, about),
        related=related,
        members=context.get("members", ()),
    )


def problem_of(row: Mapping[str, Any], prefix: str = "problem") -> Problem | None:
    """The problem stored in a row's three columns, if there is one."""
    code = row.get(f"{prefix}_code")
    if not code:
        return None
    return Problem(
        code=code, reason=row.get(f"{prefix}_reason") or "", remedy=row.get(f"{prefix}_remedy") or ""
    )


def steps_of(records: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Events in order of time as steps; equal ones in a row are one step.

    Args:
        records: With ``time``, ``site``, ``service`` and ``type``.
    """
    steps: list[Step] = []
    before: datetime | None = None
    for record in records:
        last = steps[-1] if steps else None
        same = (record["site"], record["service"], record["type"])
        if last is not None and (last.site, last.service, last.event) == same:
            steps[-1] = last.model_copy(update={"times": last.times + 1})
            continue
        site, service, event = same
        after = None if before is None else (record["time"] - before).total_seconds()
        steps.append(Step(at=record["time"], site=site, service=service, event=event, times=1, after_s=after))
        before = record["time"]
    return tuple(steps)


async def _find(opsdb: OpsDbReader, wanted: UUID | str) -> tuple[str, dict[str, Any]]:
    for table in TABLES if isinstance(wanted, UUID) else ("asn_association",):
        key = "uid" if table in UIDS else "id" if isinstance(wanted, UUID) else "association_id"
        source = SOURCES.get(table, table)
        row = await opsdb.fetchrow(f"SELECT * FROM {source} WHERE {key} = $1", wanted)  # noqa: S608  names of this module
        if row is not None:
            return table, dict(row)
    raise UserError(
        "unknown_id",
        f"nothing here has the id {wanted}",
        "Look it up with 'chasqui status' or ask another site's ops-db; it may not be projected yet.",
    )


def _name(kind: str, row: Mapping[str, Any]) -> str:
    match kind:
        case "optical_imaging_task":
            return f"{row['id']} ({row['task_type']})"
        case "observation_asset":
            return f"{row['id']} ({row['role'] or 'of no role'})"
        case _:
            pass
    for column in ("association_id", "path", "name", "obs_unit", "folder", "route", "type", "target"):
        if row.get(column):
            return str(row[column])
    return kind.replace("_", " ")


def _state(kind: str, row: Mapping[str, Any]) -> str:
    if row.get("released_at") is not None:
        return "released"
    return str(row.get(STATES.get(kind, "state")) or "not known yet")


async def _timeline(opsdb: OpsDbReader, about: Sequence[UUID | str]) -> tuple[Step, ...]:
    rows = await opsdb.fetch(TIMELINE, [str(item) for item in about], MOST_RECORDS)
    return steps_of([dict(row) for row in rows])


async def _copies(opsdb: OpsDbReader, holders: Sequence[UUID]) -> tuple[Copy, ...]:
    return tuple(
        Copy(
            of=row["kind"] or "not known yet",
            location=row["location"] or "",
            path=row["path"] or "",
            state=row["state"] or "not known yet",
            since=row["deleted_at"] or row["verified_at"] or row["created_at"],
            stays_because=problem_of(dict(row), "refusal"),
        )
        for row in await opsdb.fetch(COPIES, holders, MOST_COPIES)
    )
