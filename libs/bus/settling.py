"""What happens around every handler: keep its claim, publish, acknowledge, or judge the failure.

The order is the invariant: events stored, then acknowledged. A crash anywhere before the acknowledgement means
the message comes again, and the same input gives the same events, which the stream recognises by their ids.
"""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from faststream import BaseMiddleware, ContextRepo
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from libs.bus.attempts import Attempts, AttemptsBook
from libs.bus.claims import Claim, ClaimLapsed
from libs.bus.delivery import delivery_of
from libs.bus.failures import Bury, Postpone, Redeliver, judge
from libs.bus.letters import DeadLetters, DeadMessage
from libs.bus.pauses import PauseWatch
from libs.bus.publishing import EventPublisher
from libs.bus.subscription import Subscription
from libs.telemetry.logs import logger
from libs.telemetry.tracing import span

if TYPE_CHECKING:
    from types import TracebackType

    from faststream._internal.basic_types import AsyncFuncAny
    from faststream.message import StreamMessage

STALE_SHARE = 1 / 2
"""Of the acknowledgement deadline: after a pause of this length a message that lay here is left."""

log = logger("bus")


class Settlement:
    """Settles the messages of one subscription: a FastStream middleware factory."""

    def __init__(
        self,
        client: Client,
        subscription: Subscription,
        publisher: EventPublisher,
        letters: DeadLetters,
        attempts: AttemptsBook,
        *,
        pauses: PauseWatch,
    ) -> None:
        self._client = client
        self._pauses = pauses
        self.subscription = subscription
        self.publisher = publisher
        self.letters = letters
        self.attempts = attempts

    def __call__(self, msg: Any | None, /, *, context: ContextRepo) -> "SettlingMiddleware":  # noqa: ANN401  FastStream's protocol
        """The middleware for one message."""
        if not isinstance(msg, Msg):
            raise TypeError(f"a JetStream message was expected, not {type(msg).__name__}")
        return SettlingMiddleware(msg, context=context, settlement=self)

    def claim(self, raw: Msg) -> Claim:
        """The claim on a message that came just now."""
        return Claim(
            raw,
            connected=lambda: self._client.is_connected,
            ack_wait_s=self.subscription.ack_wait_s,
            silence_s=self.subscription.silence_s,
        )

    def may_be_stale(self) -> bool:
        """Whether a message that is taken up now may have come before a pause that was long enough to lose it."""
        return self._pauses.was_paused(self.subscription.ack_wait_s * STALE_SHARE)

    async def handle_failure(self, raw: Msg, attempts: Attempts, error: BaseException) -> None:
        """Redeliver, postpone or bury, by `judge`."""
        metadata = raw.metadata
        verdict = judge(error, attempt=attempts.counted, max_attempts=self.subscription.max_attempts)
        facts = {
            "handler": self.subscription.handler,
            "subject": raw.subject,
            "sequence": metadata.sequence.stream,
            "attempt": attempts.counted,
            "code": verdict.problem.code,
            "reason": verdict.problem.reason,
        }
        match verdict:
            case Redeliver(delay_s=delay):
                log.warning("redelivered", delay_s=round(delay, 2), **facts, exc_info=_unplanned(error))
                await raw.nak(delay=delay)
            case Postpone(delay_s=delay):
                log.info("postponed", delay_s=round(delay, 2), **facts)
                await self.attempts.postpone(raw, attempts)
                await raw.nak(delay=delay)
            case Bury(problem=problem):
                letter = DeadMessage(
                    subject=raw.subject,
                    data=raw.data,
                    headers=raw.headers or {},
                    stream=metadata.stream,
                    sequence=metadata.sequence.stream,
                    attempts=attempts.counted,
                )
                await self.letters.bury(letter, problem, handler=self.subscription.handler)
                log.error("buried", **facts, exc_info=_unplanned(error))
                await raw.term()
                await self.attempts.forget(raw, attempts)


def _unplanned(error: BaseException) -> BaseException | None:
    """The error itself if nobody planned for it, for its traceback."""
    return None if getattr(error, "problem", None) else error


class SettlingMiddleware(BaseMiddleware[Any, Any]):
    """Wraps the consumption of one message; made by `Bus` for each subscriber."""

    def __init__(self, msg: Msg, /, *, context: ContextRepo, settlement: Settlement) -> None:
        super().__init__(msg, context=context)
        self.settlement = settlement
        self._claim = settlement.claim(msg)
        self._attempts = Attempts(1)

    async def on_receive(self) -> None:
        """Look how often it was tried. If that cannot be told now, the message is left, and comes again.

        So is one that may have lain here during a pause: a successor may have had it since.
        """
        if self.settlement.may_be_stale():
            log.warning("left_after_a_pause", subject=self.msg.subject)
            self._claim.lose()
            raise ClaimLapsed
        try:
            self._attempts = await self.settlement.attempts.of(self.msg)
        except (NatsError, OSError, TimeoutError) as error:
            log.warning("not_begun", subject=self.msg.subject, error=repr(error))
            raise

    async def consume_scope(self, call_next: "AsyncFuncAny", msg: "StreamMessage[Any]") -> Any:  # noqa: ANN401  FastStream's signature
        """Handle, publish what the handler returns, then acknowledge."""
        raw: Msg = msg.raw_message
        delivery = delivery_of(raw, self._attempts)
        subscription = self.settlement.subscription

        async def handle() -> None:
            events = await call_next(msg)
            await self.settlement.publisher.publish(
                list(events or ()), causation_id=str(delivery.envelope.id)
            )

        with (
            span(f"{subscription.service} {delivery.envelope.type}", carrier=raw.headers or {}),
            self.context.scope("delivery", delivery),
        ):
            await self._claim.hold(handle())
        # Even if the claim has lapsed meanwhile: all that a successor could say is stored.
        await raw.ack()
        await self.settlement.attempts.forget(raw, self._attempts)
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
            await self._unless_away(self.msg.nak())
        else:
            await self._unless_away(self.settlement.handle_failure(self.msg, self._attempts, exc_val))
        return not stopped

    async def _unless_away(self, settle: Coroutine[Any, Any, None]) -> None:
        """Settle the message; while the server is away it stays, and comes again when its deadline has passed."""
        try:
            await settle
        except (NatsError, OSError, TimeoutError) as error:
            log.warning("not_settled", subject=self.msg.subject, error=repr(error))
