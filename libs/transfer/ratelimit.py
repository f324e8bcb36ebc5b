"""A limit of bytes per second that many streams share."""

import threading
import time
from collections.abc import Callable

SLOT_SECONDS = 0.1
"""Longest time that one block may take under a limit, so that streams share it evenly and stop soon."""


class RateLimit:
    """Hands out time slots one after the other: each block waits until its predecessors have had theirs.

    Nothing is saved up while idle, so there are no bursts. Thread-safe.

    Args:
        bytes_per_second: The limit, at least 1.
        clock: Monotonic seconds.
    """

    def __init__(self, bytes_per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        if bytes_per_second < 1:
            raise ValueError(f"a limit of {bytes_per_second} bytes/s lets nothing through")
        self.bytes_per_second = bytes_per_second
        self._clock = clock
        self._free_at = 0.0
        self._lock = threading.Lock()

    def reserve(self, count: int) -> float:
        """Take the slot for `count` bytes; return the seconds until the block may be moved to keep the rate."""
        with self._lock:
            now = self._clock()
            self._free_at = max(self._free_at, now) + count / self.bytes_per_second
            return self._free_at - now

    def block_size(self, largest: int) -> int:
        """Bytes to move at a time: at most `largest`, and no more than fit into one slot."""
        return max(1, min(largest, int(self.bytes_per_second * SLOT_SECONDS)))
