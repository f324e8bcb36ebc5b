"""Jobs whose time is up."""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

from contracts.staging import ReleaseReason, StagingReleased
from libs.bus.publishing import EventPublisher
from libs.opsdb.reader import OpsDbReader
from services.stager import queries

LOOK_EVERY_S = 5.0


class Expiry:
    """Says of each job whose time is up that it is released.

    Args:
        opsdb: The site's ops-db.
        publisher: Of the service.
        in_step: Waits until the ops-db has applied all that the site has said.
        locations: The site's PROCESSING locations.
        now: The clock.
    """

    def __init__(
        self,
        *,
        opsdb: OpsDbReader,
        publisher: EventPublisher,
        in_step: Callable[[], Awaitable[None]],
        locations: Collection[str],
        now: Callable[[], datetime],
    ) -> None:
        self._opsdb = opsdb
        self._publisher = publisher
        self._in_step = in_step
        self._locations = tuple(locations)
        self._now = now

    async def look(self) -> None:
        """Look once. A second instance says the same events again.

        An ops-db that lags may not know that somebody gave a job back: it is asked again once it has caught up, lest
        one release be said twice, for two reasons.

        Raises:
            Retriable: ``opsdb_unavailable``, ``projection_lags``, ``bus_unavailable``.
        """
        if await self._due():
            await self._in_step()
            await self._publisher.publish([released(job) for job in await self._due()])

    async def _due(self) -> list[queries.Expired]:
        return await queries.expired(self._opsdb, self._now(), self._locations)


def released(job: queries.Expired) -> StagingReleased:
    """What is said of a job whose time is up."""
    return StagingReleased(
        job_id=job.id, location=job.location, folder=job.folder, reason=ReleaseReason.EXPIRED
    )
