"""The janitor's composition."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from contracts.copies import CopyDeleted, DeletionRefused, DeletionScheduled
from contracts.states import LocationType
from libs.service.archives import open_archives
from libs.service.service import Runtime, Service
from libs.service.ticking import ticking
from libs.sites.models import Deployment
from services.janitor.asking import Asker
from services.janitor.cleaning import Cleaner
from services.janitor.emptying import Emptier
from services.janitor.handlers import SUBSCRIPTIONS, JanitorHandlers, subscribe
from services.janitor.leftovers import Leftovers
from services.janitor.marks import Marks
from services.janitor.saying import Voice
from services.janitor.sweeping import SWEEP_EVERY_S, Sweeper

CLEARED = frozenset({LocationType.SOURCE, LocationType.BUFFER, LocationType.PROCESSING})


def runs_at(deployment: Deployment, site: str) -> bool:
    """Where something may ever go."""
    return any(location.type in CLEARED for location in deployment.site(site).locations.values())


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Build the janitor's parts around an open ops-db, the archives and a clock."""
    place, bus = runtime.place, runtime.bus

    def now() -> datetime:
        return datetime.now(UTC)

    async with runtime.opsdb_in_step() as opsdb, open_archives(place) as stores:
        voice = Voice(bus.publisher, opsdb, place.site)
        cleaner = Cleaner(opsdb=opsdb, asker=Asker(stores), voice=voice, place=place, now=now)
        emptier = Emptier(opsdb=opsdb, voice=voice, place=place, now=now)
        subscribe(bus, JanitorHandlers(opsdb=opsdb, cleaner=cleaner, emptier=emptier))
        sweeper = Sweeper(
            opsdb=opsdb,
            cleaner=cleaner,
            emptier=emptier,
            marks=Marks(bus.client, place.site),
            leftovers=Leftovers.of(place, stores),
            now=now,
        )
        async with ticking(SWEEP_EVERY_S, sweeper.sweep, what="sweep", lease=runtime.lease("sweep")):
            yield


SAYS = (
    CopyDeleted,
    DeletionRefused,
    DeletionScheduled,
)

SERVICE = Service("janitor", SUBSCRIPTIONS, runs_at=runs_at, compose=compose, says=SAYS)
