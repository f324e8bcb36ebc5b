"""The pulse of a piece of work: whether it still makes progress, or only holds its message.

Whatever makes progress says so with `beat()`: a block hashed, a part sent, a file deleted, an event stored. The claim
on the message that is handled is renewed only as long as its handler's pulse is felt (`libs.bus.claims`). A step that
cannot tell its progress, such as an fsync, takes leave for a bounded time.

`beat` and `leave` find the pulse by a context variable, which tasks and `asyncio.to_thread` hand on. A pool of threads
does not: run its jobs in a `contextvars.copy_context()`, or give them `current()`. Outside of a handler, beats go nowhere.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar

FLUSH_S = 1800.0
"""Leave for bringing what was written to the disk: a machine with much memory may have gigabytes to flush."""
TURN_S = 3600.0
"""Leave for waiting in a queue whose members are watched themselves."""


def clock() -> float:
    """Seconds that also pass while the process is paused, or the machine asleep; no clock setting moves them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Pulse:
    """The signs of life of one piece of work. Its methods may be called from any thread.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float] = clock) -> None:
        self._clock = clock
        self._felt_at = clock()
        self._leaves: dict[object, float] = {}

    def beat(self) -> None:
        """There was progress."""
        self._felt_at = self._clock()

    @contextmanager
    def leave(self, seconds: float) -> Iterator[None]:
        """A step that cannot tell its progress, and takes no longer than this; its end is progress."""
        key = object()
        self._leaves[key] = self._clock() + seconds
        try:
            yield
        finally:
            del self._leaves[key]
            self.beat()

    def silent_for(self) -> float:
        """Seconds since the last sign of life; none during a leave."""
        now = self._clock()
        felt = max([self._felt_at, *self._leaves.copy().values()])
        return max(0.0, now - felt)


_CURRENT: ContextVar[Pulse | None] = ContextVar("pulse", default=None)


def current() -> Pulse:
    """The pulse of the handler that runs this; one that nobody feels outside of handlers."""
    return _CURRENT.get() or Pulse()


@contextmanager
def felt(pulse: Pulse) -> Iterator[None]:
    """Let `pulse` be the current one while the block runs."""
    token = _CURRENT.set(pulse)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def beat() -> None:
    """There was progress."""
    pulse = _CURRENT.get()
    if pulse is not None:
        pulse.beat()


def leave(seconds: float) -> AbstractContextManager[None]:
    """A step that cannot tell its progress, and takes no longer than this."""
    return current().leave(seconds)


@asynccontextmanager
async def turn(gate: asyncio.Semaphore | asyncio.Lock, longest_s: float = TURN_S) -> AsyncIterator[None]:
    """Wait for one's turn, which is no standstill, and hold it while the block runs."""
    with leave(longest_s):
        await gate.acquire()
    try:
        yield
    finally:
        gate.release()
