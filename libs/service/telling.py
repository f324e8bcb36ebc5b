"""Telling how far a piece of work is, a few times a second, in the site's progress bucket.

Work that ends before its first report is never told: nobody could have looked, and a small package is not held
up by it.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from nats.aio.client import Client

from libs.bus.buckets import put_progress
from libs.bus.pulse import current
from libs.bus.repeating import over

TELL_EVERY_S = 0.5
AGAIN_AFTER_S = 30.0
"""Figures that stand still are told again after this: silence means that the worker is dead."""


class Board:
    """The newest figures of a piece of work; written from any thread, read by the event loop.

    It belongs to the handler that makes it, whose pulse it beats.

    Attributes:
        figures: By name; ``done`` is always there.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.figures: dict[str, Any] = {"done": 0}
        self._pulse = current()
        self._clock = clock
        self._told: dict[str, Any] | None = None
        self._told_at = -math.inf

    def show(self, **figures: Any) -> None:  # noqa: ANN401  numbers and short words of any kind
        """Replace some figures. Work that has done more than before is alive."""
        if figures.get("done", self.figures["done"]) != self.figures["done"]:
            self._pulse.beat()
        self.figures = {**self.figures, **figures}

    def news(self) -> dict[str, Any] | None:
        """The figures, if they changed since they were last given, or that is long ago."""
        now = self._clock()
        if self.figures == self._told and now < self._told_at + AGAIN_AFTER_S:
            return None
        self._told, self._told_at = self.figures, now
        return self.figures

    @property
    def was_told(self) -> bool:
        """Whether anything was reported at all."""
        return self._told is not None


@asynccontextmanager
async def telling(
    client: Client, site: str, key: str, facts: Mapping[str, Any], every_s: float = TELL_EVERY_S
) -> AsyncIterator[Board]:
    """Report what the board shows while the block runs, and once at its end if it was ever reported.

    A report under way is waited for, and not cancelled: see `libs.bus.repeating`.

    Args:
        client: A connected NATS client.
        site: The site.
        key: Of the piece of work.
        facts: Told with every report.
        every_s: Seconds between two reports.
    """
    board = Board()
    ended = asyncio.Event()

    async def report() -> None:
        while not await over(ended, every_s):
            if (figures := board.news()) is not None:
                await put_progress(client, site, key, {**facts, **figures})

    task = asyncio.create_task(report())
    try:
        yield board
    finally:
        ended.set()
        await task
        if board.was_told:
            await put_progress(client, site, key, {**facts, **board.figures, "ended": True})
