"""Counting bytes of many streams and telling the sum, not too often."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable

from libs.transfer.engine import Progress, ProgressSink

TELL_SECONDS = 0.5
"""Time between two reports."""

_WINDOW = 10
"""Reports over which the rate is taken."""


class Meter:
    """Bytes moved now and before, and their rate. `moved` and `found` may be called from any thread.

    Args:
        total: Bytes of the whole transfer.
        clock: Monotonic seconds.
    """

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._clock = clock
        self._lock = threading.Lock()
        self._moved = 0
        self._found = 0
        self._marks: deque[tuple[float, int]] = deque([(clock(), 0)], maxlen=_WINDOW)

    def moved(self, count: int) -> None:
        """Add bytes that were moved just now: they make the rate."""
        with self._lock:
            self._moved += count

    def found(self, count: int) -> None:
        """Add bytes that were at the destination already; negative when they turn out to be useless."""
        with self._lock:
            self._found += count

    def read(self) -> Progress:
        """The figures now; the rate is taken over the last readings."""
        with self._lock:
            moved, done = self._moved, self._moved + self._found
        now = self._clock()
        then, before = self._marks[0]
        self._marks.append((now, moved))
        rate = (moved - before) / (now - then) if now > then else 0.0
        left = max(0, self._total - done)
        eta = left / rate if rate > 0 else (0.0 if left == 0 else None)
        return Progress(done, self._total, rate, eta)


async def tell(meter: Meter, sink: ProgressSink, every: float = TELL_SECONDS) -> None:
    """Report until cancelled."""
    while True:
        await asyncio.sleep(every)
        sink(meter.read())
