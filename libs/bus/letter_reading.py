"""Looking through the dead letters of a site."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from contracts.states import FailureKind
from contracts.subjects import all_dead_letters, dead_stream
from libs.bus.burying import letter_errors
from libs.bus.letters import Letter, NoLetter, read_letter
from libs.errors import UserError
from libs.telemetry.logs import logger

SHORTEST_NAME = 4
"""Letters of an id that name a dead letter, if no other begins with them."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which letters are wanted: those for which all that is given holds.

    Attributes:
        code: Of the problem, such as ``disk_full``.
        type: Of the event: ``package.sealed``, with or without ``chasqui.`` and version.
        entity: The id of what the message is about, or the beginning of it.
        since: Buried at this time or later.
        until: Buried before this time.
    """

    service: str | None = None
    handler: str | None = None
    code: str | None = None
    failure: FailureKind | None = None
    type: str | None = None
    entity: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def holds(self, letter: Letter) -> bool:
        """Whether a letter is one of them."""
        entity = letter.origin.entity_id or ""
        return (
            self.service in {None, letter.service}
            and self.handler in {None, letter.handler}
            and self.code in {None, letter.problem.code}
            and self.failure in {None, letter.failure}
            and (self.type is None or is_of_type(letter.origin.type, self.type))
            and (self.entity is None or entity.startswith(self.entity))
            and (self.since is None or letter.buried_at >= self.since)
            and (self.until is None or letter.buried_at < self.until)
        )


ANY = Sought()


def is_of_type(full: str, wanted: str) -> bool:
    """Whether ``chasqui.package.sealed.v1`` is meant by ``package.sealed``, ``package``, or itself."""
    prefix = wanted if wanted.startswith("chasqui.") else f"chasqui.{wanted}"
    return full in {wanted, prefix} or full.startswith(f"{prefix}.")


async def read_letters(client: Client, site: str, sought: Sought = ANY) -> list[Letter]:
    """The letters of a site, the oldest first, each once.

    Raises:
        Retriable: ``letters_unavailable``.
    """
    newest: dict[object, Letter] = {}
    async for letter in _all(client, site):
        # Of a letter that was being sent again when the sender was killed, the burial before may still be there.
        newest.pop(letter.id, None)
        newest[letter.id] = letter
    return [letter for letter in newest.values() if sought.holds(letter)]


async def find_letter(client: Client, site: str, name: str) -> Letter:
    """The letter with an id, or with the only id that begins so.

    Raises:
        UserError: ``letter_unknown``, ``letter_ambiguous``, ``letter_name_too_short``.
        Retriable: ``letters_unavailable``.
    """
    return one_of(await read_letters(client, site), name, site)


def one_of(letters: list[Letter], name: str, where: str) -> Letter:
    """The one of some letters that is called so.

    Raises:
        UserError: ``letter_unknown``, ``letter_ambiguous``, ``letter_name_too_short``.
    """
    if len(name) < SHORTEST_NAME:
        raise UserError(
            "letter_name_too_short",
            f"{name!r} may begin many ids",
            f"Give at least {SHORTEST_NAME} letters of it, or all.",
        )
    found = [letter for letter in letters if str(letter.id).startswith(name.lower())]
    if not found:
        raise UserError(
            "letter_unknown",
            f"no dead letter at {where} is called {name}",
            "It was retried, settled or dropped, or never was: see chasqui dead list, or chasqui explain with its id.",
        )
    if len(found) > 1:
        ids = ", ".join(str(letter.id) for letter in found[:3])
        raise UserError(
            "letter_ambiguous", f"{len(found)} dead letters begin with {name}: {ids}", "Give more of the id."
        )
    return found[0]


async def _all(client: Client, site: str) -> AsyncIterator[Letter]:
    js = client.jetstream(timeout=10)
    stream, position = dead_stream(site), 1
    while True:
        try:
            with letter_errors(site):
                found = await js.get_msg(
                    stream, seq=position, subject=all_dead_letters(site), direct=True, next=True
                )
        except NotFoundError:
            return
        position = int(found.seq or position)
        try:
            yield read_letter(found.headers or {}, found.data or b"", site=site, position=position)
        except NoLetter as error:
            logger("letters").warning("no_letter", stream=stream, reason=str(error))
        position += 1
