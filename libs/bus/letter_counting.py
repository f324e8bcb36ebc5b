"""How often a letter was buried, by the log: the one record of it that outlives the letter.

A letter goes when it was retried, settled or dropped, and each of these is said before; the stream of letters may be
lost with a server. So the log tells of every burial that anybody can have seen, and who counts by it gives no number
twice, however long ago the last one was.
"""

import asyncio
from uuid import UUID

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError
from pydantic import BaseModel, ValidationError

from contracts.subjects import about_letters, events_stream
from libs.bus.connection import unavailable
from libs.bus.origin import Origin
from libs.bus.pulse import beat


class _Mention(BaseModel):
    """What every event about a letter has, also one of a later version than is known here."""

    letter_id: UUID
    burial: int


class BurialBook:
    """The burials that a site's log tells of; it is read once, and then what has come since.

    Args:
        client: A connected NATS client.
        site: Whose log it is.
    """

    def __init__(self, client: Client, *, site: str) -> None:
        self._client = client
        self._stream = events_stream(site)
        self._subject = about_letters(site)
        self._highest: dict[UUID, int] = {}
        self._first = self._next = 1
        self._reading = asyncio.Lock()

    async def highest(self, letter: UUID, origin: Origin) -> int:
        """The number of the letter's last burial that is in the log by now; 0 if none is.

        Args:
            letter: Its id.
            origin: The message: of an event of this log, what is told of its letter comes after it.

        Raises:
            Retriable: ``bus_unavailable``.
        """
        own = origin.stream == self._stream and origin.sequence is not None
        async with self._reading:
            await self._read(origin.sequence or 1 if own else 1)
        return self._highest.get(letter, 0)

    async def _read(self, first: int) -> None:
        if not self._highest or first < self._first:
            self._highest.clear()
            self._first = self._next = first
        while (found := await self._following()) is not None:
            try:
                told = _Mention.model_validate_json(found.data or b"")
            except ValidationError:
                pass
            else:
                self._highest[told.letter_id] = max(told.burial, self._highest.get(told.letter_id, 0))
            self._next = int(found.seq or self._next) + 1
            beat()

    async def _following(self) -> RawStreamMsg | None:
        js = self._client.jetstream(timeout=10)
        try:
            return await js.get_msg(
                self._stream, seq=self._next, subject=self._subject, direct=True, next=True
            )
        except NotFoundError:
            return None
        except (NatsError, OSError, TimeoutError) as error:
            raise unavailable(str(self._client.connected_url), error) from error
