"""The associator's composition."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from contracts.associations import (
    AssociationCollected,
    AssociationFailed,
    AssociationPlanned,
    MembersAdded,
    MembersArrived,
    OrphanNoted,
    ProductMade,
)
from libs.associations.saying import Associations
from libs.service.service import Runtime, Service
from libs.service.ticking import ticking
from libs.sites.models import Deployment
from services.associator.handlers import SUBSCRIPTIONS, AssociatorHandlers, subscribe

LOOK_EVERY_S = 5.0


def runs_at(deployment: Deployment, site: str) -> bool:
    """Where exposures are filed."""
    return bool(deployment.instruments_at(site))


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Build the associator's parts around an open ops-db and a clock."""
    place, bus = runtime.place, runtime.bus

    def now() -> datetime:
        return datetime.now(UTC)

    async with runtime.opsdb_in_step() as opsdb:
        handlers = AssociatorHandlers(
            opsdb=opsdb,
            associations=Associations(opsdb, bus.client, bus.publisher, place.site),
            site=place.site,
            deadline=place.settings.associations.deadline,
            now=now,
        )
        subscribe(bus, handlers)
        lease = runtime.lease("deadlines")
        async with ticking(LOOK_EVERY_S, handlers.look, what="overdue associations", lease=lease):
            yield


SAYS = (
    AssociationPlanned,
    MembersAdded,
    MembersArrived,
    AssociationCollected,
    AssociationFailed,
    OrphanNoted,
    ProductMade,
)
SERVICE = Service("associator", SUBSCRIPTIONS, runs_at=runs_at, compose=compose, says=SAYS)
