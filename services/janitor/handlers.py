"""What the janitor hears, and what it does about it."""

from collections.abc import Sequence

from contracts.base import Event
from contracts.packages import PackageArchived
from contracts.staging import StagingFailed, StagingReleased
from libs.bus.bus import Bus, DeliveryOf
from libs.bus.subscription import Hears, Subscription
from libs.opsdb.reader import OpsDbReader
from services.janitor.cleaning import Cleaner
from services.janitor.emptying import Emptier

CLEAR = Subscription("janitor", "clear", (PackageArchived,), hears=Hears.EVERY_SITE)
EMPTY = Subscription("janitor", "empty", (StagingReleased, StagingFailed), hears=Hears.EVERY_SITE)
SUBSCRIPTIONS = (CLEAR, EMPTY)


class JanitorHandlers:
    """The handlers of one instance. They return nothing: what came of a package is told in its turn, before the next.

    Args:
        opsdb: The site's ops-db.
        cleaner: Clears SOURCE and BUFFER.
        emptier: Clears PROCESSING.
    """

    def __init__(self, *, opsdb: OpsDbReader, cleaner: Cleaner, emptier: Emptier) -> None:
        self._opsdb = opsdb
        self._cleaner = cleaner
        self._emptier = emptier

    async def clear(self, event: PackageArchived, delivery: DeliveryOf) -> Sequence[Event]:
        """Delete what is no longer needed of a package at this site, and say why the rest stays."""
        await self._opsdb.wait_applied(delivery.stream, delivery.sequence)
        cause = str(delivery.envelope.id)
        await self._cleaner.clean(event.package.package_id, causation_id=cause)
        return ()

    async def empty(self, event: StagingReleased | StagingFailed, delivery: DeliveryOf) -> Sequence[Event]:
        """Delete what was staged for a job at this site."""
        if event.location not in self._emptier.disks:
            return ()
        await self._opsdb.wait_applied(delivery.stream, delivery.sequence)
        await self._emptier.empty(event.job_id, causation_id=str(delivery.envelope.id))
        return ()


def subscribe(bus: Bus, handlers: JanitorHandlers) -> None:
    """Let the handlers have what they hear."""
    bus.subscribe(CLEAR, handlers.clear)
    bus.subscribe(EMPTY, handlers.empty)
