"""Storing events: acknowledged by the stream, deduplicated by id, summaries last."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError, NoRespondersError
from nats.js.errors import APIError, NoStreamResponseError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from contracts.base import Event
from contracts.envelope import Envelope
from contracts.subjects import events_stream
from libs.bus.connection import unavailable
from libs.bus.pulse import beat
from libs.errors import Permanent, Retriable
from libs.groups import TaskGroup
from libs.telemetry.tracing import current_traceparent

ACK_TIMEOUT_S = 5.0
ATTEMPTS = 6
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.3, 2.0
IN_FLIGHT = 256
WRONG_LAST_SEQUENCE = 10071


class SequenceConflict(Retriable):
    """Somebody else published to the guarded subjects first: decide again on the newer state."""

    def __init__(self, guarded: str) -> None:
        super().__init__(
            "sequence_conflict",
            f"{guarded} changed while this was being decided",
            "It is decided again by itself.",
        )


@dataclass(frozen=True, slots=True)
class _Stored:
    """The stream's answer: where the event is, and whether it was there before."""

    sequence: int
    repeated: bool


class EventPublisher:
    """Publishes a service's events to its own site's stream.

    Args:
        client: A connected NATS client.
        site: The site where the events happen.
        service: Who says them.
    """

    def __init__(self, client: Client, *, site: str, service: str) -> None:
        self._client = client
        self._stream = events_stream(site)
        self._site = site
        self._service = service
        self._window = asyncio.Semaphore(IN_FLIGHT)

    async def publish(
        self, events: Sequence[Event], *, causation_id: str | None = None, time: datetime | None = None
    ) -> int:
        """Store events; the last one is sent only after all others are stored.

        Returns:
            The stream sequence of the last event (of its first storing, if it is a repeat); 0 for none.

        Raises:
            Retriable: ``bus_unavailable``: not all are known to be stored; repeat with the same events.
            Permanent: ``event_too_large``.
        """
        if not events:
            return 0
        *parts, last = [self._message(event, causation_id, time) for event in events]
        async with TaskGroup() as group:
            for message in parts:
                group.create_task(self._store(*message))
        return await self._store(*last)

    async def publish_guarded(
        self, event: Event, *, guarded: str, last_sequence: int, causation_id: str | None = None
    ) -> int:
        """Store one event only if no subject under `guarded` has a message newer than `last_sequence`.

        The server recognises a repeat before it looks at sequences, and another's decision may carry the same
        id as ours with other content: a repeat, therefore, is a conflict, too.

        Raises:
            SequenceConflict: There is a newer one, or this one is there already.
            Retriable: ``bus_unavailable``.
        """
        subject, body, headers = self._message(event, causation_id, None)
        headers["Nats-Expected-Last-Subject-Sequence"] = str(last_sequence)
        headers["Nats-Expected-Last-Subject-Sequence-Subject"] = guarded
        return await self._store(subject, body, headers, guarded)

    def _message(
        self, event: Event, causation_id: str | None, time: datetime | None
    ) -> tuple[str, bytes, dict[str, str]]:
        envelope = Envelope.of(
            event,
            site=self._site,
            service=self._service,
            time=time or datetime.now(UTC),
            causation_id=causation_id,
            traceparent=current_traceparent(),
        )
        headers = envelope.headers() | {"Nats-Expected-Stream": self._stream}
        return event.subject(self._site), event.model_dump_json().encode(), headers

    async def _store(
        self, subject: str, body: bytes, headers: dict[str, str], guarded: str | None = None
    ) -> int:
        async with self._window:
            try:
                stored = await self._request(subject, body, headers, guarded)
            except (NatsError, OSError, TimeoutError) as error:
                raise unavailable(str(self._client.connected_url), error) from error
        beat()
        if guarded is not None and stored.repeated:
            raise SequenceConflict(guarded)
        return stored.sequence

    @retry(
        retry=retry_if_exception_type((NatsError, OSError, TimeoutError)),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=FIRST_PAUSE_S, max=LONGEST_PAUSE_S),
        reraise=True,
    )
    async def _request(
        self, subject: str, body: bytes, headers: dict[str, str], guarded: str | None
    ) -> _Stored:
        """Ask the stream to store a message, again while it cannot be asked."""
        try:
            reply = await self._client.request(subject, body, timeout=ACK_TIMEOUT_S, headers=headers)
        except MaxPayloadError as error:
            raise too_large(subject, len(body)) from error
        except NoRespondersError as error:
            raise NoStreamResponseError from error
        answer = json.loads(reply.data)
        if "error" in answer:
            if answer["error"].get("err_code") == WRONG_LAST_SEQUENCE:
                raise SequenceConflict(guarded or subject)
            raise APIError.from_error(answer["error"])
        return _Stored(int(answer["seq"]), repeated=bool(answer.get("duplicate")))


def too_large(subject: str, size: int) -> Permanent:
    """The error for an event above the server's message limit."""
    return Permanent(
        "event_too_large",
        f"an event of {size} bytes for {subject} is above the server's message limit",
        "Send long lists in parts; raise max_payload on the server if the limit is lower than 1 MB.",
    )
