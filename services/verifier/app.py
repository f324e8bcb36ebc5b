"""The verifier's composition."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.states import LocationType
from libs.service.service import Runtime, Service
from libs.service.ticking import ticking
from libs.sites.models import Deployment
from services.verifier.clearing import EVERY_S, Clearer
from services.verifier.handlers import SUBSCRIPTIONS, VerifierHandlers, subscribe
from services.verifier.remembering import Memory


def runs_at(deployment: Deployment, site: str) -> bool:
    """Where bundles arrive: at the end of a route, or at a relay."""
    return any(site in (*route.via, route.destination) for route in deployment.routes.values())


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Build the verifier's parts beside the clearing of its BUFFERs."""
    place, bus = runtime.place, runtime.bus
    handlers = VerifierHandlers(
        place=place,
        client=bus.client,
        publisher=bus.publisher,
        breakers=runtime.breakers(),
        memory=Memory(runtime.opsdb, bus.jetstream, place.site),
    )
    subscribe(bus, handlers)
    buffers = place.settings.locations_of(LocationType.BUFFER)
    clearer = Clearer([place.disk(name).path for name in buffers])
    async with ticking(EVERY_S, clearer.clear, what="damaged arrivals", lease=runtime.lease("clearing")):
        yield


SERVICE = Service("verifier", SUBSCRIPTIONS, runs_at=runs_at, compose=compose)
