"""The clock: packages that waited long enough go, whether or not anything else happens."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from libs.bus.repeating import repeat
from libs.errors import ChasquiError
from libs.telemetry.logs import logger

SHORTEST_S = 0.1
LONGEST_S = 10.0

log = logger("bundler")


def period(longest_wait_s: float) -> float:
    """Seconds between two looks at the clock: a tenth of what a package may wait, within reason."""
    return min(max(longest_wait_s / 10, SHORTEST_S), LONGEST_S)


@asynccontextmanager
async def ticking(every_s: float, action: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Call `action` at once and every so often while the block runs.

    What it raises on purpose is told in the log, and it is called again; anything else ends the block, too.
    """

    async def tick() -> None:
        try:
            await action()
        except ChasquiError as error:
            log.warning("missed_a_tick", **error.problem.model_dump())

    ended = asyncio.Event()
    task = asyncio.create_task(repeat(tick, every_s, ended))
    owner = asyncio.current_task()

    def give_up(finished: asyncio.Task[None]) -> None:
        if owner is not None and not finished.cancelled() and finished.exception() is not None:
            owner.cancel()

    task.add_done_callback(give_up)
    try:
        yield
    finally:
        ended.set()
        await task
