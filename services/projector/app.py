"""The projector's composition."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.opsdb.collecting import sparing_the_collector
from libs.service.background import background
from libs.service.service import Runtime, Service
from libs.sites.models import Deployment
from services.projector.handlers import SUBSCRIPTIONS, buried_in, heard
from services.projector.projecting import Projector


def runs_at(_deployment: Deployment, _site: str) -> bool:
    """Everywhere: each site has an ops-db of its own."""
    return True


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Project in the background; PostgreSQL may come later."""
    place, bus = runtime.place, runtime.bus
    projector = Projector(
        bus.client,
        place.opsdb_writer_dsn(),
        heard(place),
        buried_in(bus.letters),
        lease=runtime.lease("tables"),
    )
    with sparing_the_collector():
        async with background(projector.run()):
            yield


SERVICE = Service("projector", SUBSCRIPTIONS, runs_at=runs_at, compose=compose)
