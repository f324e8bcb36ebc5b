"""The bundler's composition."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.bundles import BundleSealed
from contracts.copies import CopyScrubbed
from contracts.packages import PackageFailed
from libs.bus.guard import Guard
from libs.service.service import Runtime, Service
from libs.service.ticking import ticking
from services.bundler.handlers import SUBSCRIPTIONS, BundlerHandlers, subscribe
from services.bundler.resending import Resender
from services.bundler.routing import sends
from services.bundler.sealing import Sealer
from services.bundler.ticking import period


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Build the bundler's parts around an open ops-db and a clock."""
    place, bus = runtime.place, runtime.bus
    guard = Guard(bus.client, bus.publisher, site=place.site, event=BundleSealed)
    waits = [
        route.longest_wait.total_seconds() for route in place.deployment.routes_from(place.site).values()
    ]
    async with runtime.opsdb_in_step() as opsdb:
        sealer = Sealer(opsdb=opsdb, sealed=guard, deployment=place.deployment, site=place.site)
        resender = Resender(
            opsdb=opsdb, place=place, client=bus.client, publisher=bus.publisher, breakers=runtime.breakers()
        )
        subscribe(bus, BundlerHandlers(opsdb=opsdb, sealer=sealer, resender=resender, site=place.site))
        every_s, turn = period(min(waits, default=0.0)), runtime.lease("clock")
        async with ticking(every_s, sealer.seal_ready, what="waiting packages", lease=turn):
            yield


SAYS = (
    BundleSealed,
    CopyScrubbed,
    PackageFailed,
)

SERVICE = Service("bundler", SUBSCRIPTIONS, runs_at=sends, compose=compose, says=SAYS)
