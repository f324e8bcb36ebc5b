"""What happens around every handler: decode, keep the claim alive, publish, acknowledge, or judge the failure.

The order is the invariant: events stored, then acknowledged. A crash anywhere before the acknowledgement means
the message comes again, and the same input gives the same events, which the stream recognises by their ids.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faststream import BaseMiddleware, ContextRepo
from faststream.nats.message import NatsMessage
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from contracts.base import Event
from contracts.envelope import BadEnvelope, Envelope
from contracts.registry import REGISTRY, UnreadableEvent
from libs.bus.attempts import Attempts, AttemptsBook
from libs.bus.failures import Bury, Postpone, Redeliver, judge
from libs.bus.letters import DeadLetters, DeadMessage
from libs.bus.publishing import EventPublisher
from libs.bus.subscription import Subscription
from libs.ending import end
from libs.errors import Poison
from libs.telemetry.logs import logger
from libs.telemetry.tracing import span

if TYPE_CHECKING:
    from types import TracebackType

    from faststream._internal.basic_types import AsyncFuncAny
    from faststream.message import StreamMessage

log = logger("bus")


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where an event came from.

    Attributes:
        envelope: Who said it, when, because of what.
        stream: The stream it was read from.
        sequence: Its sequence there; wait for it in the projection before asking ops-db.
        attempt: Which attempt this is, from 1; deliveries that were only postponed do not count.
    """

    envelope: Envelope
    stream: str
    sequence: int
    attempt: int


def delivery_of(raw: Msg, attempts: Attempts) -> Delivery:
    """Read a message's envelope and position.

    Raises:
        Poison: ``bad_envelope``.
    """
    try:
        envelope = Envelope.from_headers(raw.headers or {})
    except BadEnvelope as error:
        raise Poison(
            "bad_envelope", str(error), "Publish events with the CloudEvents headers of docs/events.md."
        ) from error
    position = raw.metadata
    return Delivery(envelope, position.stream, position.sequence.stream, attempts.counted)


def read_event(raw: Msg) -> Event:
    """Read a message's body.

    Raises:
        Poison: Unknown type or version, no JSON, or not what its schema says.
    """
    type_name = "chasqui." + raw.subject.split(".", 2)[2] if raw.subject.count(".") > 1 else raw.subject
    try:
        return REGISTRY.read(type_name, raw.data)
    except UnreadableEvent as error:
        problem = error.problem
        raise Poison(problem.code, problem.reason, problem.remedy) from error


async def decode(message: NatsMessage) -> Event:
    """FastStream's decoder: the current model of whatever version was sent."""
    return read_event(message.raw_message)


class Claim:
    """Renews the acknowledgement deadline of a message while its handler runs."""

    def __init__(self, raw: Msg, ack_wait_s: float) -> None:
        self._raw = raw
        self._period = ack_wait_s / 3
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin renewing."""
        self._task = asyncio.create_task(self._renew())

    async def stop(self) -> None:
        """Stop renewing; call before settling the message."""
        if self._task is not None:
            await end(self._task)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._period)
            try:
                await self._raw.in_progress()
            except (NatsError, OSError) as error:
                log.warning("claim_not_renewed", subject=self._raw.subject, error=repr(error))


class Settlement:
    """Settles the messages of one subscription: a FastStream middleware factory."""

    def __init__(
        self,
        subscription: Subscription,
        publisher: EventPublisher,
        letters: DeadLetters,
        attempts: AttemptsBook,
    ) -> None:
        self.subscription = subscription
        self.publisher = publisher
        self.letters = letters
        self.attempts = attempts

    def __call__(self, msg: Any | None, /, *, context: ContextRepo) -> "SettlingMiddleware":  # noqa: ANN401  FastStream's protocol
        """The middleware for one message."""
        if not isinstance(msg, Msg):
            raise TypeError(f"a JetStream message was expected, not {type(msg).__name__}")
        return SettlingMiddleware(msg, context=context, settlement=self)

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
        self._claim = Claim(msg, settlement.subscription.ack_wait_s)
        self._attempts = Attempts(1)

    async def on_receive(self) -> None:
        """Look how often it was tried. If that cannot be told now, the message is left, and comes again."""
        try:
            self._attempts = await self.settlement.attempts.of(self.msg)
        except (NatsError, OSError, TimeoutError) as error:
            log.warning("not_begun", subject=self.msg.subject, error=repr(error))
            raise
        self._claim.start()

    async def consume_scope(self, call_next: "AsyncFuncAny", msg: "StreamMessage[Any]") -> Any:  # noqa: ANN401  FastStream's signature
        """Handle, publish what the handler returns, then acknowledge."""
        raw: Msg = msg.raw_message
        delivery = delivery_of(raw, self._attempts)
        subscription = self.settlement.subscription
        with (
            span(f"{subscription.service} {delivery.envelope.type}", carrier=raw.headers or {}),
            self.context.scope("delivery", delivery),
        ):
            events = await call_next(msg)
            await self.settlement.publisher.publish(
                list(events or ()), causation_id=str(delivery.envelope.id)
            )
        await self._claim.stop()
        await raw.ack()
        await self.settlement.attempts.forget(raw, self._attempts)
        return None

    async def after_processed(
        self,
        exc_type: type[BaseException] | None = None,  # noqa: ARG002  FastStream's signature
        exc_val: BaseException | None = None,
        exc_tb: "TracebackType | None" = None,  # noqa: ARG002  FastStream's signature
    ) -> bool:
        """Judge a failure. A cancelled handler (the service stops) hands its message back at once."""
        await self._claim.stop()
        if exc_val is None:
            return False
        if isinstance(exc_val, asyncio.CancelledError):
            with suppress(NatsError, OSError):
                await self.msg.nak()
            return False
        try:
            await self.settlement.handle_failure(self.msg, self._attempts, exc_val)
        except (NatsError, OSError, TimeoutError) as error:
            # The message stays unsettled and comes again when its deadline has passed.
            log.warning("not_settled", subject=self.msg.subject, error=repr(error))
        return True
