"""What stands in the way of something that waits: dead letters, breakers, dead services, full disks, queues."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from contracts.base import Message, Utc
from contracts.problems import Problem
from contracts.subjects import heartbeat_bucket
from libs.breakers.circuit import Circuit, CircuitState
from libs.breakers.shared import standing
from libs.bus.buckets import read_bucket
from libs.insight.disks import disks_of
from libs.insight.queues import queues_of
from libs.insight.sight import Sight
from libs.insight.waiting import Waiting

FULL = 0.99
"""A disk of which so much is used takes nothing that is worth sending."""
MOST_LETTERS = 10

_LETTERS = """
    SELECT id, service, handler, burials, buried_at, problem_code, problem_reason, problem_remedy
    FROM dead_letter WHERE state = 'buried' AND entity_id = ANY($1::text[])
    ORDER BY buried_at DESC, id LIMIT $2
"""


class ObstacleKind(StrEnum):
    """What kind of thing stands in the way."""

    DEAD_LETTER = "dead_letter"
    """A service gave up a message about it: an operator decides."""
    BREAKER = "breaker"
    """A location or route is given a rest."""
    SERVICE = "service"
    """No instance of the service that acts next is alive."""
    DISK = "disk"
    """A disk that it needs is full or away."""
    QUEUE = "queue"
    """Others are before it."""


class Obstacle(Message):
    """One reason why it has not gone on.

    Attributes:
        since: Since when it stands in the way, if that is known.
        next_at: When it is tried again by itself, if that is known.
    """

    kind: ObstacleKind
    problem: Problem
    since: Utc | None = None
    next_at: Utc | None = None


async def obstacles(sight: Sight, waiting: Waiting, about: Sequence[UUID | str]) -> tuple[Obstacle, ...]:
    """What stands in the way, as far as it can be seen from this site; the worst first.

    Args:
        sight: The site.
        waiting: What is waited for.
        about: The thing, and what it belongs with.

    Raises:
        Retriable: ``bus_unavailable`` or ``opsdb_unavailable``.
    """
    found = list(await _letters(sight, about))
    if waiting.by is None or waiting.at not in {None, sight.place.site}:
        return tuple(found)
    found += await _breakers(sight, waiting)
    found += await _service(sight, waiting.by)
    found += await _disks(sight, waiting)
    found += await _queue(sight, waiting.by)
    return tuple(found)


async def _letters(sight: Sight, about: Sequence[UUID | str]) -> list[Obstacle]:
    rows = await sight.opsdb.fetch(_LETTERS, [str(each) for each in about], MOST_LETTERS)
    return [
        Obstacle(
            kind=ObstacleKind.DEAD_LETTER,
            problem=Problem(
                code=row["problem_code"] or "dead_letter",
                reason=f"{row['service']} gave it up: {row['problem_reason']}",
                remedy=f"{row['problem_remedy']} Then: chasqui dead retry {row['id']}",
            ),
            since=row["buried_at"],
        )
        for row in rows
    ]


async def _breakers(sight: Sight, waiting: Waiting) -> list[Obstacle]:
    circuits = await standing(sight.client, sight.place.site) if waiting.uses else {}
    return [
        breaker_obstacle(key, circuits[key])
        for key in waiting.uses
        if key in circuits and circuits[key].state is not CircuitState.CLOSED
    ]


def breaker_obstacle(key: str, circuit: Circuit) -> Obstacle:
    """An open breaker, told as an obstacle."""
    found = circuit.problem
    why = f": {found.reason}" if found else ""
    state = "is being tried" if circuit.state is CircuitState.HALF_OPEN else "is given a rest"
    return Obstacle(
        kind=ObstacleKind.BREAKER,
        problem=Problem(
            code=found.code if found else "breaker_open",
            reason=f"{key} {state} after it failed again and again{why}",
            remedy=(found.remedy if found else "") or "Nothing to do: it is tried again by itself.",
        ),
        since=circuit.since,
        next_at=None if circuit.since is None else circuit.since + timedelta(seconds=circuit.pause_s),
    )


async def _service(sight: Sight, service: str) -> list[Obstacle]:
    alive = await read_bucket(sight.client, heartbeat_bucket(sight.place.site))
    if any(facts.get("service") == service for facts in alive.values()):
        return []
    site = sight.place.site
    return [
        Obstacle(
            kind=ObstacleKind.SERVICE,
            problem=Problem(
                code="service_down",
                reason=f"no {service} is alive at {site}",
                remedy=f"Read its log; start it: chasqui run {service} --site {site}",
            ),
        )
    ]


async def _disks(sight: Sight, waiting: Waiting) -> list[Obstacle]:
    needed = {key.removeprefix("location.") for key in waiting.uses}
    found = []
    for disk in await disks_of(sight.place):
        if disk.location not in needed:
            continue
        if not disk.reachable:
            reason, remedy = f"{disk.location} cannot be reached", "Mount it, or correct its path."
        elif disk.free < (1 - FULL) * disk.total:
            reason = f"{disk.location} is full: {disk.free} of {disk.total} bytes are free"
            remedy = "Make room: chasqui janitor plan shows what may go and what keeps the rest."
        else:
            continue
        problem = Problem(
            code="disk_full" if disk.reachable else "location_missing", reason=reason, remedy=remedy
        )
        found.append(Obstacle(kind=ObstacleKind.DISK, problem=problem))
    return found


async def _queue(sight: Sight, service: str) -> list[Obstacle]:
    now = datetime.now(UTC)
    return [
        Obstacle(
            kind=ObstacleKind.QUEUE,
            problem=Problem(
                code="queue",
                reason=f"{queue.waiting + queue.in_hand} events wait for {service}.{queue.handler}"
                + (f", the oldest for {queue.oldest_s:.0f} s" if queue.oldest_s is not None else ""),
                remedy="Nothing to do if it shrinks; more instances share the work: "
                f"chasqui run {service} --site {sight.place.site}",
            ),
            since=None if queue.oldest_s is None else now - timedelta(seconds=queue.oldest_s),
        )
        for queue in await queues_of(sight.place, sight.client)
        if queue.service == service and queue.waiting + queue.in_hand
    ]
