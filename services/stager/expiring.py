"""Jobs whose time is up."""

from collections.abc import Callable, Collection
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
        locations: The site's PROCESSING locations.
        now: The clock.
    """

    def __init__(
        self,
        *,
        opsdb: OpsDbReader,
        publisher: EventPublisher,
        locations: Collection[str],
        now: Callable[[], datetime],
    ) -> None:
        self._opsdb = opsdb
        self._publisher = publisher
        self._locations = tuple(locations)
        self._now = now

    async def look(self) -> None:
        """Look once. A repeat, or a second instance, says the same events again.

        Raises:
            Retriable: ``opsdb_unavailable``, ``bus_unavailable``.
        """
        due = await queries.expired(self._opsdb, self._now(), self._locations)
        await self._publisher.publish([released(job) for job in due])


def released(job: queries.Expired) -> StagingReleased:
    """What is said of a job whose time is up."""
    return StagingReleased(
        job_id=job.id, location=job.location, folder=job.folder, reason=ReleaseReason.EXPIRED
    )
