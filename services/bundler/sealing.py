"""Closing bundles so that no package is ever in two: decided under the guard of BundleSealed."""

from datetime import UTC, datetime

from contracts.states import LocationType
from contracts.subjects import events_stream
from libs.bus.guard import Guard, until_undisputed
from libs.opsdb.reader import OpsDbReader
from libs.sites.models import Deployment
from libs.telemetry.logs import logger
from services.bundler import queries
from services.bundler.closing import close
from services.bundler.routing import Way, way_to_archive

MOST_READ = 2000
"""Packages read for one decision; more than any one bundle takes."""

log = logger("bundler")


class Sealer:
    """Closes the bundles of one site; all it knows is in the log and in ops-db.

    Args:
        opsdb: The site's ops-db.
        sealed: The guard on BundleSealed.
        deployment: Routes and locations.
        site: The site.
    """

    def __init__(self, *, opsdb: OpsDbReader, sealed: Guard, deployment: Deployment, site: str) -> None:
        self._opsdb = opsdb
        self._sealed = sealed
        self._site = site
        self._way = way_to_archive(deployment, site)
        locations = deployment.site(site).locations
        self._buffers = [name for name, one in locations.items() if one.type is LocationType.BUFFER]

    async def seal_ready(self, causation_id: str | None = None) -> None:
        """Close every bundle that should go now, and store what is said of each.

        Args:
            causation_id: The event that asks; None for the clock.

        Raises:
            Retriable: ``sequence_conflict``: others were faster again and again.
        """
        way = self._way
        if way is None:
            return
        while await until_undisputed(lambda: self._round(way, causation_id)):
            pass

    async def _round(self, way: Way, causation_id: str | None) -> bool:
        """One decision on the newest state; whether there is more to decide at once."""
        last = await self._sealed.last_sequence()
        await self._opsdb.wait_applied(events_stream(self._site), last)
        waiting = await queries.waiting(self._opsdb, self._site, self._buffers, MOST_READ)
        if not waiting:
            return False
        in_flight = await queries.in_flight(self._opsdb, way.name, self._site)
        closed = close(waiting, way.route, now=datetime.now(UTC), in_flight=in_flight)
        for bundle in closed:
            event = bundle.event(way, self._site)
            last = await self._sealed.publish(event, after=last, causation_id=causation_id)
            log.info(
                "sealed",
                bundle=str(event.bundle_id),
                route=way.name,
                reason=event.reason.value,
                packages=len(event.packages),
                size=event.size,
            )
        return bool(closed) and len(waiting) == MOST_READ
