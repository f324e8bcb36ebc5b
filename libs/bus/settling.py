"""What happens around every handler: keep its claim, publish, acknowledge, or judge the failure.

The order is the invariant: events stored, then acknowledged. A crash anywhere before the acknowledgement means
the message comes again, and the same input gives the same events, which the stream recognises by their ids.
"""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from faststream import BaseMiddleware, ContextRepo
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from libs.bus.attempts import Attempts
from libs.bus.claims import ClaimLapsed
from libs.bus.delivery import delivery_of
from libs.bus.origin import Origin, as_delivered
from libs.bus.verdicts import Verdicts
from libs.errors import Poison, Retriable
from libs.telemetry.logs import logger
from libs.telemetry.tracing import span

if TYPE_CHECKING:
    from types import TracebackType

    from faststream._internal.basic_types import AsyncFuncAny
    from faststream.message import StreamMessage

AWAY = (NatsError, OSError, TimeoutError, Retriable)

log = logger("bus")


class Settlement:
    """Settles the messages of one subscription: a FastStream middleware factory.

    Args:
        verdicts: What becomes of its messages.
    """

    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts

    def __call__(self, msg: Any | None, /, *, context: ContextRepo) -> "SettlingMiddleware":  # noqa: ANN401  FastStream's protocol
        """The middleware for one message."""
        if not isinstance(msg, Msg):
            raise TypeError(f"a JetStream message was expected, not {type(msg).__name__}")
        return SettlingMiddleware(msg, context=context, verdicts=self._verdicts)


class SettlingMiddleware(BaseMiddleware[Any, Any]):
    """Wraps the consumption of one message; made by `Bus` for each subscriber."""

    def __init__(self, msg: Msg, /, *, context: ContextRepo, verdicts: Verdicts) -> None:
        super().__init__(msg, context=context)
        self._verdicts = verdicts
        self._claim = verdicts.claim(msg)
        self._attempts = Attempts(1)
        self._origin: Origin = as_delivered(msg)
        self._poison: Poison | None = None

    async def on_receive(self) -> None:
        """Look what came and how often it was tried; what was given up already is not handled again.

        What is raised here keeps the message from its handler. If it was not settled, it comes again. So does one
        that may have lain here during a pause: a successor may have had it since.
        """
        if self._verdicts.may_be_stale():
            log.warning("left_after_a_pause", subject=self.msg.subject)
            self._claim.lose()
            raise ClaimLapsed
        try:
            self._attempts = await self._verdicts.attempts_of(self.msg)
            try:
                self._origin = await self._verdicts.origin(self.msg)
            except Poison as poison:
                self._poison = poison
            await self._verdicts.finish(self.msg, self._origin, self._attempts)
        except AWAY as error:
            log.warning("not_begun", subject=self.msg.subject, error=repr(error))
            raise

    async def consume_scope(self, call_next: "AsyncFuncAny", msg: "StreamMessage[Any]") -> Any:  # noqa: ANN401  FastStream's signature
        """Handle, publish what the handler returns, then acknowledge."""
        if self._poison is not None:
            raise self._poison
        delivery = delivery_of(self._origin, self._attempts)

        async def handle() -> None:
            await self._verdicts.succeeded(self._origin, await call_next(msg) or ())

        with (
            span(f"{self._verdicts.service} {delivery.envelope.type}", carrier=self._origin.headers),
            self.context.scope("delivery", delivery),
        ):
            await self._claim.hold(handle())
        # Even if the claim has lapsed meanwhile: all that a successor could say is stored.
        await self._verdicts.acknowledge(self.msg, self._attempts)
        return None

    async def after_processed(
        self,
        exc_type: type[BaseException] | None = None,  # noqa: ARG002  FastStream's signature
        exc_val: BaseException | None = None,
        exc_tb: "TracebackType | None" = None,  # noqa: ARG002  FastStream's signature
    ) -> bool:
        """Judge a failure, unless a successor may have the message: then it is the successor's to judge."""
        if exc_val is None:
            return False
        stopped = isinstance(exc_val, asyncio.CancelledError)
        if self._claim.lapsed or isinstance(exc_val, ClaimLapsed):
            log.warning("left_to_a_successor", subject=self.msg.subject, error=repr(exc_val))
        elif stopped:
            await self._unless_away(self._verdicts.hand_back(self.msg, self._attempts))
        else:
            judging = self._verdicts.failed(self.msg, self._origin, self._attempts, self._claim, exc_val)
            await self._unless_away(self._claim.hold(judging))
        return not stopped

    async def _unless_away(self, settle: Coroutine[Any, Any, None]) -> None:
        """Settle the message; while the server is away it stays, and comes again when its deadline has passed."""
        try:
            await settle
        except (*AWAY, ClaimLapsed) as error:
            log.warning("not_settled", subject=self.msg.subject, error=repr(error))
