"""The renderer's composition."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.files import AssetRendered, RenderFailed
from libs.imaging.pool import PoolSettings, RenderPool
from libs.service.service import Runtime, Service
from libs.sites.models import Deployment
from services.renderer.handlers import SUBSCRIPTIONS, RendererHandlers, subscribe
from services.renderer.rendering import kept_polite


def runs_at(deployment: Deployment, site: str) -> bool:
    """Where instruments write."""
    return bool(deployment.instruments_at(site))


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Build the renderer around one worker process, started when it is needed."""
    async with RenderPool(PoolSettings()) as pool, kept_polite(pool), runtime.hindsight() as hindsight:
        handlers = RendererHandlers(place=runtime.place, pool=pool, hindsight=hindsight)
        subscribe(runtime.bus, handlers)
        yield


SAYS = (
    AssetRendered,
    RenderFailed,
)

SERVICE = Service("renderer", SUBSCRIPTIONS, runs_at=runs_at, compose=compose, says=SAYS)
