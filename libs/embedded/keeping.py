"""Servers are kept running: one that ends without being asked to is started again, on the ports that it had.

Whatever was connected to it reconnects by itself. What it had stored is there: NATS and Swift sync every write,
PostgreSQL its log.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from libs.embedded.server import EmbeddedServer
from libs.errors import ChasquiError
from libs.service.background import background
from libs.telemetry.logs import logger

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 10.0
LIVED_S = 10.0
"""A server that lived for so long is started again at once when it ends."""

log = logger("servers")


@asynccontextmanager
async def kept_running(servers: Sequence[EmbeddedServer]) -> AsyncIterator[None]:
    """Start servers again when they end, while the block lasts; stop them after it, not in it.

    Args:
        servers: Running ones, started in the main thread, in which this runs, too.
    """
    try:
        async with background(*(_keep(server) for server in servers)):
            yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from None  # the block's own error, as whoever is around it expects it


async def _keep(server: EmbeddedServer) -> None:
    pause = 0.0
    while True:
        started = time.monotonic()
        await server.ended()
        died = time.monotonic()
        log.warning("died", server=server.kind, folder=str(server.folder), last_words=server.last_words())
        pause = 0.0 if died - started > LIVED_S else _longer(pause)
        await asyncio.sleep(pause)
        while not await _restarted(server):
            pause = _longer(pause)
            await asyncio.sleep(pause)
        log.warning("started_again", server=server.kind, seconds=round(time.monotonic() - died, 1))


def _longer(pause: float) -> float:
    return min(max(FIRST_PAUSE_S, 2 * pause), LONGEST_PAUSE_S)


async def _restarted(server: EmbeddedServer) -> bool:
    try:
        await server.restart()
    except (ChasquiError, OSError) as error:
        log.warning("not_started", server=server.kind, folder=str(server.folder), error=str(error))
        return False
    return True
