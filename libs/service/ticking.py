"""A clock beside the handlers: something is looked at every so often, whether or not anything happens."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from libs.bus.fencing import Overtaken, working_by
from libs.bus.leases import Lease, LeaseLost
from libs.errors import ChasquiError
from libs.service.background import background
from libs.telemetry.logs import logger

REST = 10.0
"""An action that took t seconds rests for at least this many times t: a sweep never eats the machine."""

log = logger("service")


@asynccontextmanager
async def ticking(
    every_s: float,
    action: Callable[[], Awaitable[None]],
    *,
    what: str,
    lease: Lease | None,
    rest: float = REST,
) -> AsyncIterator[None]:
    """Call `action` again and again while the block runs.

    What it raises on purpose is told in the log, and it is called again; anything else ends the block, too.

    Args:
        every_s: Seconds from the end of one call to the begin of the next; more if the call took long.
        action: What to do. When the lease is lost, it is cancelled; threads that it has begun go on.
        what: Named in the log.
        lease: Of all instances only the one that holds it calls `action`; None if each has to, for itself.
        rest: After a call of t seconds, so many times t is the least pause.
    """

    async def tick() -> None:
        while True:
            started = time.monotonic()
            try:
                await action()
            except ChasquiError as error:
                log.warning("missed_a_tick", what=what, **error.problem.model_dump())
            except Overtaken as error:
                log.warning("overtaken", what=what, evidence=str(error))
            await asyncio.sleep(max(every_s, rest * (time.monotonic() - started)))

    async with background(tick() if lease is None else _in_turn(lease, tick)):
        yield


async def _in_turn(lease: Lease, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            async with lease.held():
                with working_by(lease):
                    await work()
        except LeaseLost as lost:
            log.warning("turn_over", **lost.problem.model_dump())
