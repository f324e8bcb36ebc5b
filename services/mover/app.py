"""The mover's composition."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from libs.service.service import Runtime, Service
from services.mover.handlers import SUBSCRIPTIONS, MoverHandlers, subscribe
from services.mover.hops import sends
from services.mover.queries import is_completed


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Build the mover's parts. Bytes move without ops-db, which is asked only before a bundle is given up."""

    async def completed_before(transfer: UUID) -> bool:
        async with runtime.opsdb() as opsdb:
            return await is_completed(opsdb, transfer)

    handlers = MoverHandlers(
        place=runtime.place,
        client=runtime.bus.client,
        publisher=runtime.bus.publisher,
        completed_before=completed_before,
        breakers=runtime.breakers(),
    )
    subscribe(runtime.bus, handlers)
    yield


SERVICE = Service("mover", SUBSCRIPTIONS, runs_at=sends, compose=compose)
