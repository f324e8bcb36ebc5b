"""The end of a site's log: the filing events that came after a position, in order, from the stream's leader.

Messages are asked for one by one when a decision needs them. An ordered consumer would push them, but after the
server was restarted it took a quarter of a minute to notice that it had lost its place.
"""

from dataclasses import dataclass
from uuid import UUID

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from contracts.base import Event
from contracts.registry import REGISTRY, UnreadableEvent
from contracts.subjects import events_stream
from libs.bus.connection import unavailable
from libs.telemetry.logs import logger

NO_MESSAGE = 10037
"""The server's code for "no message found"; a missing stream has another one."""


def filing_subjects(site: str) -> str:
    """All events that filing says of observations at a site."""
    return entity_subjects(site, "observation")


def entity_subjects(site: str, entity: str) -> str:
    """All events about things of one kind at a site."""
    return f"chasqui.{site}.{entity}.>"


@dataclass(frozen=True, slots=True)
class Found:
    """An event in the log.

    Attributes:
        event: None if it cannot be read.
        causation_id: Of the request that led to it, if that is told.
    """

    sequence: int
    event: Event | None
    event_id: UUID
    causation_id: str | None = None


class LogTail:
    """Reads filing events back from the log.

    Args:
        client: Connected to the site's server.
        site: The site.
        subjects: Those of the events; of everything that is said of observations if left out.
    """

    def __init__(self, client: Client, site: str, subjects: str | None = None) -> None:
        self._client = client
        self._site = site
        self._stream = events_stream(site)
        self._filter = subjects or filing_subjects(site)

    async def last_sequence(self) -> int:
        """The sequence of the newest event; 0 if there is none.

        Raises:
            Retriable: ``bus_unavailable``.
        """
        message = await self._get(None)
        return 0 if message is None else _sequence(message)

    async def after(self, sequence: int) -> Found | None:
        """The first event after `sequence`.

        Raises:
            Retriable: ``bus_unavailable``.
        """
        message = await self._get(sequence + 1)
        if message is None:
            return None
        event = self._read(message)
        event_id = UUID(int=0) if event is None else event.event_id(self._site)
        cause = (message.headers or {}).get("ce-causationid")
        return Found(_sequence(message), event, event_id, cause)

    async def _get(self, sequence: int | None) -> RawStreamMsg | None:
        if not self._client.is_connected:
            raise unavailable(
                str(self._client.connected_url or "its address"), ConnectionError("not connected")
            )
        js = self._client.jetstream(timeout=5)
        try:
            if sequence is None:
                return await js.get_last_msg(self._stream, self._filter)
            return await js.get_msg(self._stream, sequence, subject=self._filter, next=True)
        except NotFoundError as error:
            if error.err_code == NO_MESSAGE:
                return None
            raise unavailable(str(self._client.connected_url), error) from error
        except (NatsError, OSError, TimeoutError) as error:
            raise unavailable(str(self._client.connected_url), error) from error

    def _read(self, message: RawStreamMsg) -> Event | None:
        subject = message.subject or ""
        try:
            return REGISTRY.read("chasqui." + subject.split(".", 2)[2], message.data or b"")
        except UnreadableEvent as error:
            # The projector cannot apply it either; the services that hear it bury it.
            logger("filing").warning("event_skipped", sequence=message.seq, **error.problem.model_dump())
            return None


def _sequence(message: RawStreamMsg) -> int:
    return int(message.seq or 0)
