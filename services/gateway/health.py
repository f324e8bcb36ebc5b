"""Whether the gateway can be believed now: its servers answer, and ops-db is not far behind the log."""

from collections.abc import Iterable

from nats.aio.client import Client
from pydantic import BaseModel

from contracts.problems import Problem
from libs.errors import Retriable
from libs.insight.queues import Projection, projections_of
from libs.service.service import Place
from services.gateway.knowing import Knowing

FAR_BEHIND = 20_000
FAR_BEHIND_S = 30.0


class HealthReport(BaseModel):
    """What is wrong, if anything."""

    site: str
    ok: bool
    problems: tuple[Problem, ...]
    projections: tuple[Projection, ...]


async def health_of(place: Place, client: Client, knowing: Knowing) -> HealthReport:
    """Ask the servers that the gateway needs; whatever is away is told, not raised."""
    try:
        projections = await projections_of(place, client, knowing.opsdb)
    except Retriable as error:
        return HealthReport(site=place.site, ok=False, problems=(error.problem,), projections=())
    problems = tuple(lags(projections))
    return HealthReport(site=place.site, ok=not problems, problems=problems, projections=projections)


def lags(projections: Iterable[Projection]) -> Iterable[Problem]:
    """A problem for each stream that ops-db follows from too far."""
    for one in projections:
        waited = one.behind_s or 0.0
        if one.behind > FAR_BEHIND or waited > FAR_BEHIND_S:
            yield Problem(
                code="projection_behind",
                reason=f"ops-db is {one.behind} events and {waited:.0f} s behind {one.stream}",
                remedy="Look whether the projector runs and what it logs; it catches up by itself.",
            )
