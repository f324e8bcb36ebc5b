"""The renderer's composition."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

from contracts.files import AssetRendered, RenderFailed
from contracts.skynet.assets import RenderMarked
from contracts.skynet.runs import RunCompleted, RunFailed, RunQueued, RunReturned, RunStarted
from libs.imaging.pool import PoolSettings, RenderPool
from libs.opsdb.lazily import OpsDbWhenNeeded
from libs.service.service import Runtime, Service
from libs.service.ticking import ticking
from libs.sites.models import Deployment
from libs.skynet.knowing import to_render
from libs.skynet.rendering import Debounce
from libs.skynet.saying import Assets
from services.renderer import handlers
from services.renderer.assets import rendering as assets
from services.renderer.assets.rendering import AssetRenderer
from services.renderer.handlers import RendererHandlers
from services.renderer.rendering import kept_polite

DEBOUNCE = Debounce()
LOOK_EVERY_S = 1.0


def runs_at(deployment: Deployment, site: str) -> bool:
    """Where instruments write."""
    return bool(deployment.instruments_at(site))


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Build the renderer around one worker process, started when it is needed."""
    async with RenderPool(PoolSettings()) as pool, kept_polite(pool), runtime.hindsight() as hindsight:
        scanned = RendererHandlers(place=runtime.place, pool=pool, hindsight=hindsight)
        handlers.subscribe(runtime.bus, scanned)
        async with _rendering_assets(runtime, pool):
            yield


@asynccontextmanager
async def _rendering_assets(runtime: Runtime, pool: RenderPool) -> AsyncIterator[None]:
    """Render marked assets, in the one instance of the site that holds the lease."""
    place, bus = runtime.place, runtime.bus
    async with OpsDbWhenNeeded(place.opsdb_dsn(), most=2) as opsdb:
        renderer = AssetRenderer(
            place=place,
            assets=Assets(opsdb, bus.client, bus.publisher, place.site),
            pool=pool,
            now=_now,
            debounce=DEBOUNCE,
        )
        assets.subscribe(bus, renderer)

        async def due() -> Sequence[UUID]:
            return await to_render(await opsdb(), place.site, _now(), failures=DEBOUNCE.failures)

        async def look() -> None:
            await renderer.look(due)

        lease = runtime.lease("assets")
        async with ticking(LOOK_EVERY_S, look, what="assets to be rendered", lease=lease, rest=0.0):
            yield


def _now() -> datetime:
    return datetime.now(UTC)


SAYS = (
    AssetRendered,
    RenderFailed,
    RenderMarked,
    RunCompleted,
    RunFailed,
    RunQueued,
    RunReturned,
    RunStarted,
)

SUBSCRIPTIONS = (*handlers.SUBSCRIPTIONS, *assets.SUBSCRIPTIONS)

SERVICE = Service("renderer", SUBSCRIPTIONS, runs_at=runs_at, compose=compose, says=SAYS)
