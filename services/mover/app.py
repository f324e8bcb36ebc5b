"""The mover's composition."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from contracts.skynet.assets import (
    AssetTransferCompleted,
    AssetTransferFailed,
    AssetTransferProgressed,
    AssetTransferRequested,
    AssetTransferStarted,
)
from contracts.transfers import TransferCompleted, TransferFailed, TransferStarted
from libs.breakers.shared import Breakers
from libs.opsdb.lazily import OpsDbWhenNeeded
from libs.service.service import Runtime, Service, instance_name
from libs.service.ticking import ticking
from libs.skynet.knowing import lost_transfers
from libs.skynet.rendering import Debounce
from libs.skynet.saying import Assets
from services.mover import handlers
from services.mover.fetching import handlers as fetching
from services.mover.fetching.deciding import Retry
from services.mover.fetching.handlers import FetchHandlers
from services.mover.handlers import MoverHandlers
from services.mover.hops import sends
from services.mover.past import Past

LOOK_EVERY_S = 30.0


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Build the mover's parts. Bundles move without ops-db, too, which tells only what was moved before."""
    place, bus = runtime.place, runtime.bus
    async with OpsDbWhenNeeded(place.opsdb_dsn(), most=4) as opsdb, runtime.hindsight() as hindsight:
        breakers = runtime.breakers()
        movers = MoverHandlers(
            place=place,
            client=bus.client,
            publisher=bus.publisher,
            completed_before=Past(bus.client, opsdb, place.site).completed,
            breakers=breakers,
            hindsight=hindsight,
        )
        handlers.subscribe(bus, movers)
        fetchers = _fetchers(runtime, opsdb, movers, breakers)
        fetching.subscribe(bus, fetchers)

        async def look() -> None:
            await fetchers.expire(await lost_transfers(await opsdb(), place.site, _now()))

        lease = runtime.lease("lost")
        async with ticking(LOOK_EVERY_S, look, what="transferrers that were lost", lease=lease):
            yield


def _fetchers(
    runtime: Runtime, opsdb: OpsDbWhenNeeded, movers: MoverHandlers, breakers: Breakers
) -> FetchHandlers:
    place, bus = runtime.place, runtime.bus
    return FetchHandlers(
        place=place,
        assets=Assets(opsdb, bus.client, bus.publisher, place.site),
        lease_of=runtime.lease,
        limits=movers.limits,
        breakers=breakers,
        me=instance_name(bus.service),
        now=_now,
        debounce=Debounce(),
        retry=Retry(),
    )


def _now() -> datetime:
    return datetime.now(UTC)


SAYS = (
    TransferCompleted,
    TransferFailed,
    TransferStarted,
    AssetTransferCompleted,
    AssetTransferFailed,
    AssetTransferProgressed,
    AssetTransferRequested,
    AssetTransferStarted,
)

SUBSCRIPTIONS = (*handlers.SUBSCRIPTIONS, *fetching.SUBSCRIPTIONS)

SERVICE = Service("mover", SUBSCRIPTIONS, runs_at=sends, compose=compose, says=SAYS)
