"""The mover's composition."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.transfers import TransferCompleted, TransferFailed, TransferStarted
from libs.service.service import Runtime, Service
from services.mover.handlers import SUBSCRIPTIONS, MoverHandlers, subscribe
from services.mover.hops import sends
from services.mover.past import Past


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Build the mover's parts. Bytes move without ops-db, too, which tells only what was moved before."""
    place, bus = runtime.place, runtime.bus
    async with Past(bus.client, place.opsdb_dsn(), place.site) as past, runtime.hindsight() as hindsight:
        handlers = MoverHandlers(
            place=place,
            client=bus.client,
            publisher=bus.publisher,
            completed_before=past.completed,
            breakers=runtime.breakers(),
            hindsight=hindsight,
        )
        subscribe(bus, handlers)
        yield


SAYS = (
    TransferCompleted,
    TransferFailed,
    TransferStarted,
)

SERVICE = Service("mover", SUBSCRIPTIONS, runs_at=sends, compose=compose, says=SAYS)
