"""What the stager hears, and what it does about it."""

from collections.abc import Collection, Sequence

from contracts.base import Event
from contracts.problems import Problem
from contracts.staging import StagingFailed, StagingRequested
from libs.bus import fencing
from libs.bus.bus import Bus, DeliveryOf
from libs.bus.delivery import Delivery
from libs.bus.subscription import Hears, Subscription
from libs.errors import Permanent, Retriable, UserError
from libs.opsdb.reader import OpsDbReader
from libs.telemetry.logs import logger
from services.stager import queries
from services.stager.staging import Staging

LAST_ATTEMPT = 1500
"""A job that waits (for the archive, for room) is given up after about a day: the last pauses are a minute each."""

STAGE = Subscription(
    "stager",
    "stage",
    (StagingRequested,),
    hears=Hears.EVERY_SITE,
    workers=2,
    # Never reached by a job that only waits: it is given up by an event, which everybody sees, not by a letter.
    max_attempts=LAST_ATTEMPT + 100,
)
SUBSCRIPTIONS = (STAGE,)

log = logger("stager")


class StagerHandlers:
    """The handlers of one instance.

    Args:
        opsdb: The site's ops-db.
        staging: Does the jobs.
        locations: The site's PROCESSING locations.
    """

    def __init__(self, *, opsdb: OpsDbReader, staging: Staging, locations: Collection[str]) -> None:
        self._opsdb = opsdb
        self._staging = staging
        self._locations = frozenset(locations)

    async def stage(self, event: StagingRequested, delivery: DeliveryOf) -> Sequence[Event]:
        """Do a job for one of this site's locations, unless it is over already."""
        if event.location not in self._locations:
            return ()
        try:
            await self._opsdb.wait_applied(delivery.stream, delivery.sequence)
            if await queries.is_over(self._opsdb, event.job_id):
                return ()
            return [await self._staging.stage(event, str(delivery.envelope.id))]
        except (Permanent, UserError) as error:
            fencing.check()  # a successor may have done the job, and its folder be a scientist's by now
            return [given_up(event, error.problem)]
        except Retriable as error:
            if delivery.attempt < LAST_ATTEMPT:
                raise
            fencing.check()
            return [given_up(event, error.problem)]

    def buried(self, event: StagingRequested, _delivery: Delivery, problem: Problem) -> Sequence[Event]:
        """The job ended some way that is neither waiting nor a refusal: a defect, a hang, a killed process."""
        return [given_up(event, problem)] if event.location in self._locations else ()


def given_up(event: StagingRequested, problem: Problem) -> StagingFailed:
    """What is said of a job that will not be done."""
    log.error("given_up", job=str(event.job_id), **problem.model_dump())
    return StagingFailed(job_id=event.job_id, location=event.location, problem=problem)


def subscribe(bus: Bus, handlers: StagerHandlers) -> None:
    """Let the handlers have what they hear."""
    bus.subscribe(STAGE, handlers.stage, given_up=handlers.buried)
