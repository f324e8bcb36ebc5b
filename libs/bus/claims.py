"""Claims: who has a message in hand, and for how long.

Invariants:
- A claim is renewed only while its handler gives signs of life. One that is silent for too long is cancelled, its
  threads told to stop, and its message goes back as a retriable failure.
- A claim that was not renewed in time has lapsed: a successor may be at work. Who held it settles the message no more,
  except by acknowledging it after its events were stored: these are the same ones that the successor would store.
- A paused process (SIGSTOP, a sleeping machine) finds its claims lapsed when it goes on, and stops their handlers.
  While the server is away, nobody can be handed the message: the handler goes on, and judges nothing if it fails.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from libs.bus.fencing import Overtaken, working_by
from libs.bus.pulse import Pulse, clock, felt
from libs.ending import end
from libs.errors import Retriable
from libs.telemetry.logs import logger

SAFE_SHARE = 5 / 6
"""Of the acknowledgement deadline: the server's clock began to run before the message was here."""
INSIST_EVERY_S = 30.0
"""A cancelled handler may have to tidy up (abort an upload): it is not disturbed more often than this."""

T = TypeVar("T")

log = logger("bus")


class ClaimLapsed(Overtaken):
    """The claim was lost, and the message with it: a successor has it, or will."""


class Claim:
    """One message in hand.

    Args:
        raw: The message.
        connected: Whether the server can be reached now.
        ack_wait_s: After so long without a renewal the server hands the message to somebody else.
        silence_s: How long its handler may give no sign of life.
        clock: Seconds that pass during a pause, too.
    """

    def __init__(
        self,
        raw: Msg,
        *,
        connected: Callable[[], bool],
        ack_wait_s: float,
        silence_s: float,
        clock: Callable[[], float] = clock,
    ) -> None:
        self._raw = raw
        self._connected = connected
        self._period_s = ack_wait_s / 3
        self._good_for_s = ack_wait_s * SAFE_SHARE
        self._silence_s = silence_s
        self._clock = clock
        self._looked_at = clock()
        self._good_until = self._looked_at + self._good_for_s
        self._lapsed = False
        self.pulse = Pulse(clock)

    @property
    def lapsed(self) -> bool:
        """Whether a successor may have the message. What has lapsed stays so, however often it is renewed."""
        self._lapsed = self._lapsed or self._clock() >= self._good_until
        return self._lapsed

    def check(self) -> None:
        """Go on only while no successor can have the message; any thread may ask.

        Raises:
            ClaimLapsed: One may.
        """
        if self.lapsed:
            raise ClaimLapsed

    def lose(self) -> None:
        """A successor was seen at work."""
        self._lapsed = True

    async def hold(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a handler, and renew the claim while it gives signs of life.

        Raises:
            Retriable: ``handler_stalled``: it was silent for too long, and has ended.
            ClaimLapsed: The process was paused for too long, and the handler has ended.
        """
        with felt(self.pulse), working_by(self):
            task = asyncio.create_task(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=self._period_s)
                if not task.done():
                    await self._look()
        except BaseException:
            await end(task, every_s=INSIST_EVERY_S)
            raise
        return task.result()

    async def _look(self) -> None:
        before, self._looked_at = self._looked_at, self._clock()
        if self.lapsed and self._looked_at - before >= self._good_for_s:
            raise ClaimLapsed
        silent = self.pulse.silent_for()
        if silent >= self._silence_s:
            raise stalled(silent)
        if self._connected():
            await self._renew()

    async def _renew(self) -> None:
        try:
            await self._raw.in_progress()
        except (NatsError, OSError) as error:
            log.warning("claim_not_renewed", subject=self._raw.subject, error=repr(error))
        else:
            self._good_until = self._looked_at + self._good_for_s


def stalled(silent_s: float) -> Retriable:
    """The error of a handler that made no progress."""
    return Retriable(
        "handler_stalled",
        f"the handler made no progress for {silent_s:.0f} s and was stopped",
        "Look at the disk, server or mount it worked with; it is tried again by itself.",
    )
