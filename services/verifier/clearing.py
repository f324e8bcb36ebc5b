"""Staging areas do not fill up: what damaged and abandoned arrivals leave in the BUFFERs goes after a while."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from libs.errors import ChasquiError
from libs.service.background import background
from libs.telemetry.logs import logger
from libs.transfer.sweep import sweep
from services.verifier.quarantine import clear_old

EVERY = timedelta(hours=1)
KEEP = timedelta(days=7)

log = logger("verifier")


@asynccontextmanager
async def clearing(
    buffers: Sequence[Path], *, every: timedelta = EVERY, keep: timedelta = KEEP
) -> AsyncIterator[None]:
    """Clear the BUFFERs now and then while the block runs.

    Args:
        buffers: Their folders.
        every: Time between two clearings.
        keep: How long something is left alone.
    """

    async def forever() -> None:
        while True:
            for buffer in buffers:
                await _clear(buffer, keep)
            await asyncio.sleep(every.total_seconds())

    async with background(forever()):
        yield


async def _clear(buffer: Path, keep: timedelta) -> None:
    try:
        quarantined = await asyncio.to_thread(clear_old, buffer, keep)
        swept = await sweep(buffer, keep)
    except (ChasquiError, OSError) as error:
        log.warning("not_cleared", buffer=str(buffer), error=repr(error))
        return
    if quarantined or swept.files:
        log.info("cleared", buffer=str(buffer), damaged=quarantined, abandoned=swept.files, bytes=swept.bytes)
