"""The gateway, composed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.holds import HoldPlaced, HoldReleased
from contracts.staging import StagingReleased, StagingRequested
from libs.service.http import serve
from libs.service.service import Runtime, Service
from libs.sites.models import Deployment
from libs.telemetry.logs import logger
from services.gateway.feed import Feed
from services.gateway.handlers import SUBSCRIPTIONS
from services.gateway.http import application
from services.gateway.knowing import Knowing


def runs_at(deployment: Deployment, site: str) -> bool:
    """Everywhere."""
    return site in deployment.sites


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Listen at once; while the ops-db is away, answer that it is."""
    place, bus = runtime.place, runtime.bus
    knowing, feed = Knowing(), Feed(bus.client, place.streams)
    app = application(place, bus, knowing, feed)
    settings = place.settings.http
    async with (
        serve(app, host=settings.host, port=settings.gateway_port) as url,
        feed.reading(),
    ):
        logger("gateway").info("listening", url=url)
        async with runtime.opsdb() as opsdb:
            knowing.found(opsdb)
            yield


SAYS = (
    HoldPlaced,
    HoldReleased,
    StagingReleased,
    StagingRequested,
)

SERVICE = Service("gateway", SUBSCRIPTIONS, runs_at=runs_at, compose=compose, says=SAYS)
