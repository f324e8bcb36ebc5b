"""Noticing that this process did not run for a while: it was stopped, or the machine slept, or its loop was held up.

A message may have come just before a pause and lain in the socket. Whoever takes it up afterwards has a claim that
looks new, although the server handed the message to somebody else long ago.
"""

import asyncio
import math
from collections.abc import Callable

from libs.bus.pulse import clock

TICK_S = 0.25
AFTERMATH_S = 5.0
"""Time after a pause in which a message that is taken up may have come before it; no longer than the pause was."""


class PauseWatch:
    """Looks at the clock all the time; tells when it could not.

    Args:
        clock: Seconds that pass during a pause, too.
    """

    def __init__(self, clock: Callable[[], float] = clock) -> None:
        self._clock = clock
        self._looked_at = clock()
        self._woke_at = -math.inf
        self._length_s = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(TICK_S)

    def look(self) -> None:
        """Look at the clock once; of two pauses one after the other the longer one counts."""
        before, now = self._looked_at, self._clock()
        length_s = now - before - TICK_S
        if length_s > TICK_S and not self._lately(length_s, now):
            self._woke_at, self._length_s = now, length_s
        self._looked_at = now

    def was_paused(self, at_least_s: float) -> bool:
        """Whether a pause of such a length ended a moment ago, or is ending just now."""
        now = self._clock()
        return self._lately(at_least_s, now) or now - self._looked_at - TICK_S >= at_least_s

    def _lately(self, at_least_s: float, now: float) -> bool:
        return now - self._woke_at < min(AFTERMATH_S, self._length_s) and self._length_s >= at_least_s
