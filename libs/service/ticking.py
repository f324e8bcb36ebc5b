"""A clock beside the handlers: something is looked at every so often, whether or not anything happens."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from libs.errors import ChasquiError
from libs.service.background import background
from libs.telemetry.logs import logger

REST = 10.0
"""An action that took t seconds rests for at least this many times t: a sweep never eats the machine."""


@asynccontextmanager
async def ticking(every_s: float, action: Callable[[], Awaitable[None]], *, what: str) -> AsyncIterator[None]:
    """Call `action` again and again while the block runs.

    What it raises on purpose is told in the log, and it is called again; anything else ends the block, too.

    Args:
        every_s: Seconds from the end of one call to the begin of the next; more if the call took long.
        action: What to do.
        what: Named in the log.
    """
    log = logger("service")

    async def tick() -> None:
        while True:
            started = time.monotonic()
            try:
                await action()
            except ChasquiError as error:
                log.warning("missed_a_tick", what=what, **error.problem.model_dump())
            await asyncio.sleep(max(every_s, REST * (time.monotonic() - started)))

    async with background(tick()):
        yield
