"""Staging areas do not fill up: damaged arrivals that were set aside in the BUFFERs go after a while."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from libs.telemetry.logs import logger
from services.verifier.quarantine import clear_old

EVERY_S = 3600.0
KEEP = timedelta(days=7)

log = logger("verifier")


class Clearer:
    """Clears BUFFERs.

    Args:
        buffers: Their folders.
        keep: How long something is left alone.
    """

    def __init__(self, buffers: Sequence[Path], keep: timedelta = KEEP) -> None:
        self._buffers = tuple(buffers)
        self._keep = keep

    async def clear(self) -> None:
        """Clear them once; one that cannot be cleared keeps it from no other."""
        for buffer in self._buffers:
            await _clear(buffer, self._keep)


async def _clear(buffer: Path, keep: timedelta) -> None:
    try:
        quarantined = await asyncio.to_thread(clear_old, buffer, keep)
    except OSError as error:
        log.warning("not_cleared", buffer=str(buffer), error=repr(error))
        return
    if quarantined:
        log.info("cleared", buffer=str(buffer), damaged=quarantined)
