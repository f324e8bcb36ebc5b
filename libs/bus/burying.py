"""Burials: a message is given up so that nothing is lost, and said once, wherever a process is killed.

The order is the invariant: what is to be said of the failure, the letter, its LetterBuried, and only then is the
message terminated. Killed before the letter is stored, the message comes again and is handled again; killed after
it, the message comes again, its letter is found, and the burial is finished without another try.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import PubAck
from nats.js.errors import APIError, NotFoundError

from contracts.base import Event
from contracts.letters import LetterSettled
from contracts.problems import Problem
from contracts.states import FailureKind
from contracts.subjects import dead_letter, dead_stream
from libs.bus.letter_counting import BurialBook
from libs.bus.letters import Letter, NoLetter, identity_of, letter_of, read_letter
from libs.bus.origin import Origin
from libs.bus.publishing import WRONG_LAST_SEQUENCE, EventPublisher
from libs.errors import Permanent, Retriable
from libs.telemetry.logs import logger

_NOT_DELETED = frozenset({10043, 10057})
_GONE = ("no message found", "not found")
"""The server's words for a sequence that is not there: past the end of the stream, or between others."""

log = logger("bus")


class DeadLetters:
    """A service's way to the dead letters of its site. One message given up by one handler is one letter.

    Args:
        client: A connected NATS client.
        site: Where the service runs.
        service: Its name.
    """

    def __init__(self, client: Client, *, site: str, service: str) -> None:
        self._client = client
        self._js: JetStreamContext = client.jetstream(timeout=10)
        self._publisher = EventPublisher(client, site=site, service=service)
        self._book = BurialBook(client, site=site)
        self._site = site
        self._service = service

    async def bury(
        self,
        origin: Origin,
        problem: Problem,
        failure: FailureKind,
        *,
        handler: str,
        attempts: int,
        last_words: Sequence[Event] = (),
    ) -> Letter:
        """Say what is to be said, store the letter, say that it is buried. A repeat has no second effect.

        Args:
            origin: The message.
            problem: Why it is given up.
            failure: What kind of reason that is.
            handler: Of the service.
            attempts: How often it was handled in vain since it last came.
            last_words: What becomes of the thing that the message is about.

        Raises:
            Retriable: ``letters_unavailable`` or ``bus_unavailable``: not all may be stored. The message must not
                be settled.
        """
        letter = letter_of(
            origin,
            problem,
            failure,
            site=self._site,
            service=self._service,
            handler=handler,
            attempts=attempts,
            room=self._client.max_payload,
        )
        standing = await self.of(origin, handler=handler)
        if standing is None:
            await self._say(last_words, origin)
            standing = await self._stored(letter)
        await self.announce(standing)
        return standing

    async def of(self, origin: Origin, *, handler: str) -> Letter | None:
        """The letter of a message's burial that was begun already, and not finished.

        Raises:
            Retriable: ``letters_unavailable``.
        """
        identity = identity_of(origin, site=self._site, service=self._service, handler=handler)
        letter = await self._find(handler, identity)
        return letter if letter is not None and letter.burial > origin.burials else None

    async def settle(self, origin: Origin, *, handler: str) -> None:
        """A message was handled well that may lie among the dead letters: say so, then take its letter away.

        Raises:
            Retriable: ``letters_unavailable`` or ``bus_unavailable``.
        """
        letter = await self.of(origin, handler=handler)
        if letter is not None:
            settled = LetterSettled(letter_id=letter.id, burial=letter.burial)
            await self._publisher.publish([*letter.told(), settled], causation_id=origin.event_id)
            await take_away(self._js, self._site, letter)

    async def announce(self, letter: Letter) -> None:
        """Say that a letter is buried, once it is the only one of its message.

        Raises:
            Retriable: ``letters_unavailable`` or ``bus_unavailable``.
        """
        if letter.burial > 1:
            # Who had it sent again may have been killed before the letter of the last burial was taken away.
            subject = dead_letter(self._site, letter.service, letter.handler, letter.id)
            with letter_errors(self._site):
                await self._js.purge_stream(dead_stream(self._site), subject=subject, keep=1)
        await self._publisher.publish(letter.told(), causation_id=letter.origin.event_id)

    async def _say(self, last_words: Sequence[Event], origin: Origin) -> None:
        try:
            await self._publisher.publish(last_words, causation_id=origin.event_id)
        except Permanent as error:
            log.exception("last_words_not_said", place=origin.place(), **error.problem.model_dump())

    async def _stored(self, letter: Letter) -> Letter:
        """The letter as it stands now: this one, with a number of its own, or the one of who was quicker."""
        used = letter.origin.burials
        while True:
            newest = await self._newest()
            standing = await self.of(letter.origin, handler=letter.handler)
            if standing is not None:
                return standing
            used = max(used, await self._book.highest(letter.id, letter.origin))
            letter = replace(letter, burial=used + 1)
            stored = await self._store(letter, newest)
            if stored is not None and not stored.duplicate:
                return replace(letter, position=stored.seq)
            if stored is not None:
                # It was there a moment ago: it stands, or somebody took it away by hand and without a word.
                used = letter.burial

    async def _newest(self) -> int:
        """The position of the newest letter of the site, whether it is still there or not."""
        with letter_errors(self._site):
            return int((await self._js.stream_info(dead_stream(self._site))).state.last_seq)

    async def _store(self, letter: Letter, newest: int) -> PubAck | None:
        """Store a letter next to the newest one; None if that is not the newest any more."""
        headers = letter.headers() | {
            "Nats-Msg-Id": f"{letter.id}:{letter.burial}",
            "Nats-Expected-Last-Sequence": str(newest),
        }
        subject = dead_letter(self._site, self._service, letter.handler, letter.id)
        with letter_errors(self._site):
            try:
                return await self._js.publish(
                    subject, letter.origin.data, stream=dead_stream(self._site), headers=headers
                )
            except APIError as error:
                if error.err_code != WRONG_LAST_SEQUENCE:
                    raise
                return None

    async def _find(self, handler: str, identity: UUID) -> Letter | None:
        subject = dead_letter(self._site, self._service, handler, identity)
        try:
            with letter_errors(self._site):
                found = await self._js.get_msg(dead_stream(self._site), subject=subject, direct=True)
            return read_letter(
                found.headers or {}, found.data or b"", site=self._site, position=found.seq or 0
            )
        except (NotFoundError, NoLetter):
            return None


async def take_away(js: JetStreamContext, site: str, letter: Letter) -> None:
    """Delete a letter; one that is gone is deleted already.

    Raises:
        Retriable: ``letters_unavailable``.
    """
    with letter_errors(site):
        try:
            await js.delete_msg(dead_stream(site), letter.position)
        except APIError as error:
            if error.err_code not in _NOT_DELETED or not str(error.description).endswith(_GONE):
                raise


@contextmanager
def letter_errors(site: str) -> Iterator[None]:
    """Turn what the server says into an error of ours; that something is not there passes through.

    Raises:
        Retriable: ``letters_unavailable``.
    """
    try:
        yield
    except NotFoundError:
        raise
    except (NatsError, OSError, TimeoutError) as error:
        raise Retriable(
            "letters_unavailable",
            f"the dead letters of {site} cannot be read or written: {error or type(error).__name__}",
            f"Look at the server and at the limits of the stream {dead_stream(site)}; it is tried again by itself.",
        ) from error
