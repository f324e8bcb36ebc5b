"""The stager's composition."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from contracts.packages import PackageStaged
from contracts.staging import StagingCompleted, StagingFailed, StagingReleased
from contracts.states import LocationType
from libs.service.archives import open_archives
from libs.service.service import Runtime, Service
from libs.service.ticking import ticking
from libs.sites.models import Deployment
from services.stager.expiring import LOOK_EVERY_S, Expiry
from services.stager.handlers import SUBSCRIPTIONS, StagerHandlers, subscribe
from services.stager.staging import Staging


def processing_at(deployment: Deployment, site: str) -> tuple[str, ...]:
    """The PROCESSING locations of a site, inactive ones included: what was staged there expires all the same."""
    locations = deployment.site(site).locations
    return tuple(name for name, one in locations.items() if one.type is LocationType.PROCESSING)


def runs_at(deployment: Deployment, site: str) -> bool:
    """Where scientists work."""
    return bool(processing_at(deployment, site))


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Build the stager's parts around an open ops-db, the archives and a clock."""
    place, bus = runtime.place, runtime.bus
    locations = processing_at(place.deployment, place.site)

    def now() -> datetime:
        return datetime.now(UTC)

    async with runtime.opsdb_in_step() as opsdb, open_archives(place) as stores:
        staging = Staging(
            opsdb=opsdb,
            publisher=bus.publisher,
            client=bus.client,
            place=place,
            stores=stores,
            breakers=runtime.breakers(),
            now=now,
        )
        subscribe(bus, StagerHandlers(opsdb=opsdb, staging=staging, locations=locations))
        expiry = Expiry(
            opsdb=opsdb,
            publisher=bus.publisher,
            in_step=lambda: runtime.in_step(opsdb),
            locations=locations,
            now=now,
        )
        async with ticking(LOOK_EVERY_S, expiry.look, what="expired jobs", lease=runtime.lease("expiry")):
            yield


SAYS = (
    PackageStaged,
    StagingCompleted,
    StagingFailed,
    StagingReleased,
)

SERVICE = Service("stager", SUBSCRIPTIONS, runs_at=runs_at, compose=compose, says=SAYS)
