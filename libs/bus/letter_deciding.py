"""What an operator decides about a dead letter: it is sent again, or dropped. Either is said before it is done.

Killed between any two steps, the same decision can be made again, without a second effect: the event has the same
id, the message the same message id, and a letter that is gone is gone.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from contracts.letters import LetterDropped, LetterRetried
from contracts.subjects import durable, replay, replay_stream
from libs.bus.burying import letter_errors, take_away
from libs.bus.letters import Letter
from libs.bus.origin import Origin, own_headers, sent_again
from libs.bus.publishing import EventPublisher
from libs.errors import UserError

OPERATOR = "operator"
"""Who says what an operator decided."""
PROJECTOR = "projector"


@dataclass(frozen=True, slots=True)
class Decisions:
    """An operator's way to the letters of a site.

    Attributes:
        client: A connected NATS client.
        site: The site.
        by: Who decides.
    """

    client: Client
    site: str
    by: str

    async def retry(self, letter: Letter) -> None:
        """Have a message handled again, by the handler that gave it up and by nobody else.

        Raises:
            UserError: ``letter_not_retriable``: nobody would hear it; ``message_gone``: the letter has not all of
                it, and its stream has it no more.
            Retriable: ``letters_unavailable`` or ``bus_unavailable``; repeat it.
        """
        await self.require_retriable(letter)
        again = letter.as_burial(retried_by=self.by, retried_at=datetime.now(UTC))
        origin = replace(
            await self._whole(letter), letter_id=letter.id, history=(*letter.origin.history, again)
        )
        event = LetterRetried(letter_id=letter.id, burial=letter.burial, requested_by=self.by)
        await self._say(event, letter)
        message_id = f"retry:{letter.id}:{letter.burial}"
        await self._send(origin, letter.service, letter.handler, message_id)
        await self._take_away(letter)

    async def drop(self, letter: Letter, reason: str) -> None:
        """Decide that a message need not be handled.

        Raises:
            UserError: ``reason_missing``.
            Retriable: ``letters_unavailable`` or ``bus_unavailable``; repeat it.
        """
        if not reason.strip():
            raise UserError(
                "reason_missing", "a letter is dropped for no reason", "Say why: the log keeps it for ever."
            )
        event = LetterDropped(
            letter_id=letter.id, burial=letter.burial, dropped_by=self.by, reason=reason.strip()
        )
        await self._say(event, letter)
        await self._take_away(letter)

    async def require_retriable(self, letter: Letter) -> None:
        """Make sure that somebody would hear it.

        Raises:
            UserError: ``letter_not_retriable``.
            Retriable: ``letters_unavailable``.
        """
        if letter.service == PROJECTOR:
            raise UserError(
                "letter_not_retriable",
                f"the projector reads its streams by itself; {letter.id} is not sent to it",
                "Upgrade Chasqui to a version that can read it, run chasqui opsdb rebuild, then drop the letter.",
            )
        name = durable(self.site, letter.service, letter.handler)
        try:
            with letter_errors(self.site):
                await self.client.jetstream(timeout=10).consumer_info(replay_stream(self.site), name)
        except NotFoundError as error:
            raise UserError(
                "letter_not_retriable",
                f"nobody hears what is sent again to {letter.service}.{letter.handler} at {self.site}",
                f"Run chasqui provision --site {self.site}; if the handler is no more, drop the letter.",
            ) from error

    async def _whole(self, letter: Letter) -> Origin:
        """The message with all its headers and bytes."""
        if letter.cut_from is None:
            return letter.origin
        origin = letter.origin
        try:
            with letter_errors(self.site):
                js = self.client.jetstream(timeout=10)
                stored = await js.get_msg(origin.stream or "", seq=origin.sequence, direct=True)
        except (NotFoundError, ValueError) as error:
            raise UserError(
                "message_gone",
                f"{letter.id} has only a part of its message, and {origin.place()} has it no more",
                "Have it published again by whoever said it, and drop the letter.",
            ) from error
        return replace(origin, headers=own_headers(stored.headers), data=stored.data or b"")

    async def _say(self, event: LetterRetried | LetterDropped, letter: Letter) -> None:
        """Say what is decided, and before it what it is decided about: who buried it may not have come to that yet."""
        publisher = EventPublisher(self.client, site=self.site, service=OPERATOR)
        await publisher.publish([*letter.told(), event], causation_id=letter.origin.event_id)

    async def _send(self, origin: Origin, service: str, handler: str, message_id: str) -> None:
        headers, data = sent_again(origin, by=self.by, message_id=message_id, most=self.client.max_payload)
        subject, stream = replay(self.site, service, handler), replay_stream(self.site)
        with letter_errors(self.site):
            await self.client.jetstream(timeout=10).publish(subject, data, stream=stream, headers=headers)

    async def _take_away(self, letter: Letter) -> None:
        await take_away(self.client.jetstream(timeout=10), self.site, letter)
