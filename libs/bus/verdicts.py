"""What becomes of the messages of one subscription: the effects of verdicts, in the order that keeps them safe."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from contracts.base import Event
from contracts.letters import LetterSettled
from contracts.problems import Problem
from contracts.states import FailureKind
from libs.bus.attempts import MOST_DEATHS, Attempts, AttemptsBook
from libs.bus.burying import DeadLetters
from libs.bus.claims import Claim
from libs.bus.delivery import Delivery, delivery_of, read_event
from libs.bus.failures import LONGEST_DELAY_S, Bury, Postpone, Redeliver, Verdict, died, judge
from libs.bus.letters import Letter
from libs.bus.origin import Origin, origin_of
from libs.bus.pauses import PauseWatch
from libs.bus.publishing import EventPublisher
from libs.bus.subscription import Subscription
from libs.errors import ChasquiError, Retriable
from libs.telemetry.logs import logger

GivingUp = Callable[[Any, Delivery, Problem], Sequence[Event]]
"""``def given_up(event, delivery, problem) -> events``: pure; what is said of a thing whose message is buried."""

STALE_SHARE = 1 / 2
"""Of the acknowledgement deadline: after a pause of this length a message that lay here is left."""

log = logger("bus")


class Settled(Exception):
    """The message was settled before its handler had it."""


def nothing_said(_event: Event, _delivery: Delivery, _problem: Problem) -> Sequence[Event]:
    """For handlers that leave nothing stuck that a dead letter does not tell."""
    return ()


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Settles messages; each method may be interrupted anywhere, and repeated with the message's next delivery.

    Attributes:
        client: A connected NATS client.
        subscription: Whose messages these are.
        given_up: What is said when one is buried.
        publisher: Says what handlers return.
        letters: Takes what is given up.
        attempts: Remembers how deliveries ended.
        pauses: Notices when this process did not run.
    """

    client: Client
    subscription: Subscription
    given_up: GivingUp
    publisher: EventPublisher
    letters: DeadLetters
    attempts: AttemptsBook
    pauses: PauseWatch

    @property
    def service(self) -> str:
        """The service's name."""
        return self.subscription.service

    def claim(self, raw: Msg) -> Claim:
        """The claim on a message that came just now."""
        return Claim(
            raw,
            connected=lambda: self.client.is_connected,
            ack_wait_s=self.subscription.ack_wait_s,
            silence_s=self.subscription.silence_s,
        )

    def may_be_stale(self) -> bool:
        """Whether a message that is taken up now may have come before a pause that was long enough to lose it."""
        return self.pauses.was_paused(self.subscription.ack_wait_s * STALE_SHARE)

    async def attempts_of(self, raw: Msg) -> Attempts:
        """How often a message was delivered, and how these deliveries ended."""
        return await self.attempts.of(raw)

    async def origin(self, raw: Msg) -> Origin:
        """What a message was when it was first published; its bytes are fetched if it has them by reference.

        Raises:
            Poison: ``bad_replay``.
        """
        origin = origin_of(raw)
        if origin.by_reference and origin.stream is not None:
            with suppress(NotFoundError):  # decoding nothing will say so
                js = self.client.jetstream(timeout=10)
                raw.data = (await js.get_msg(origin.stream, seq=origin.sequence, direct=True)).data or b""
        return replace(origin, data=raw.data)

    async def finish(self, raw: Msg, origin: Origin, attempts: Attempts) -> None:
        """Finish a burial that was begun before; bury what ends every process that has it in hand.

        Raises:
            Settled: It was so, and the message is settled.
        """
        if attempts.delivered == 1:
            return
        standing = await self.letters.of(origin, handler=self.subscription.handler)
        if standing is not None:
            await self.letters.announce(standing)
        elif attempts.deaths >= (limit := min(MOST_DEATHS, self.subscription.max_attempts)):
            problem = died(attempts.deaths)
            # If it is our last words that end the process, it is buried without them the next time.
            words = self._last_words(origin, attempts, problem) if attempts.deaths == limit else ()
            verdict = Bury(problem, FailureKind.UNEXPECTED)
            standing = await self._bury(origin, attempts.counted - 1, verdict, words)
        else:
            return
        await self._terminate(raw, attempts)
        raise Settled(str(standing.id))

    async def succeeded(self, origin: Origin, events: Sequence[Event]) -> None:
        """Store what a handler has to say; then, if a dead letter was handled after all, that it was."""
        await self.publisher.publish(list(events), causation_id=origin.event_id)
        if origin.letter_id is not None:
            settled = LetterSettled(letter_id=origin.letter_id, burial=origin.burials)
            await self.publisher.publish([settled], causation_id=origin.event_id)
        elif origin.replayed:
            await self.letters.settle(origin, handler=self.subscription.handler)

    async def acknowledge(self, raw: Msg, attempts: Attempts) -> None:
        """The message is done."""
        await raw.ack()
        await self.attempts.forget(raw, attempts)

    async def hand_back(self, raw: Msg, attempts: Attempts) -> None:
        """The service stops: somebody else may have the message at once, and this was no attempt."""
        await raw.nak()
        await self.attempts.postponed(raw, attempts)

    async def failed(
        self, raw: Msg, origin: Origin, attempts: Attempts, claim: Claim, error: BaseException
    ) -> None:
        """Redeliver, postpone or bury, by `judge`."""
        verdict = judge(error, attempt=attempts.counted, max_attempts=self.subscription.max_attempts)
        match verdict:
            case Redeliver(delay_s=delay):
                await self.attempts.failed(raw, attempts)
                await raw.nak(delay=delay)
            case Postpone(delay_s=delay):
                await self.attempts.postponed(raw, attempts)
                await raw.nak(delay=delay)
            case Bury(problem=problem):
                words = self._last_words(origin, attempts, problem)
                try:
                    await self._bury(origin, attempts.counted, verdict, words)
                except Retriable:
                    await self._keep(raw, attempts)
                    raise
                if not claim.lapsed:
                    await self._terminate(raw, attempts)
        # Last, for a traceback takes its time.
        self._tell(verdict, origin, attempts, error)

    def _tell(self, verdict: Verdict, origin: Origin, attempts: Attempts, error: BaseException) -> None:
        facts = {
            "handler": self.subscription.handler,
            "subject": origin.subject,
            "sequence": origin.sequence,
            "attempt": attempts.counted,
            "code": verdict.problem.code,
            "reason": verdict.problem.reason,
            "exc_info": None if isinstance(error, ChasquiError) else error,
        }
        match verdict:
            case Redeliver(delay_s=delay):
                log.warning("redelivered", delay_s=round(delay, 2), **facts)
            case Postpone(delay_s=delay):
                log.info("postponed", delay_s=round(delay, 2), **facts)
            case Bury():
                log.error("given_up", **facts)

    async def _bury(self, origin: Origin, attempts: int, verdict: Bury, words: Sequence[Event]) -> Letter:
        letter = await self.letters.bury(
            origin,
            verdict.problem,
            verdict.failure,
            handler=self.subscription.handler,
            attempts=attempts,
            last_words=words,
        )
        log.error("buried", letter=str(letter.id), burial=letter.burial, code=letter.problem.code)
        return letter

    def _last_words(self, origin: Origin, attempts: Attempts, problem: Problem) -> Sequence[Event]:
        """What is to be said besides; what cannot be read, or has no place in the deployment any more, says nothing."""
        try:
            return self.given_up(read_event(origin), delivery_of(origin, attempts), problem)
        except ChasquiError as error:
            log.info("no_last_words", place=origin.place(), **error.problem.model_dump())
            return ()

    async def _keep(self, raw: Msg, attempts: Attempts) -> None:
        """It could not be buried: it stays as it is, and does not come again at once."""
        with suppress(NatsError, OSError, TimeoutError):
            await self.attempts.failed(raw, attempts)
            await raw.nak(delay=LONGEST_DELAY_S)

    async def _terminate(self, raw: Msg, attempts: Attempts) -> None:
        await raw.term()
        await self.attempts.forget(raw, attempts)
