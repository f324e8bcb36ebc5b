"""Dead letters: messages that could not be handled, kept whole beside the reason."""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.js import JetStreamContext

from contracts.problems import Problem
from contracts.subjects import dead_letter, dead_stream

PREFIX = "chasqui-dead-"
ROOM_FOR_HEADERS = 1 << 15
"""Bytes of headers that a letter may have besides its own; more are left out."""
ROOM_FOR_LETTER = 2 * ROOM_FOR_HEADERS
"""Bytes of the server's message limit that a letter's headers may take in all."""


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """A message as it was delivered.

    Attributes:
        stream: The stream it came from; None for a request.
        sequence: Its sequence there.
        attempts: How many times it was delivered.
    """

    subject: str
    data: bytes
    headers: Mapping[str, str]
    stream: str | None
    sequence: int | None
    attempts: int


class DeadLetters:
    """Stores what a service gives up, with code, reason, remedy and origin in headers and the body as it came.

    Args:
        client: A connected NATS client.
        site: Where the service runs.
        service: Its name.
    """

    def __init__(self, client: Client, *, site: str, service: str) -> None:
        self._client = client
        self._js: JetStreamContext = client.jetstream(timeout=10)
        self._stream = dead_stream(site)
        self._subject = dead_letter(site, service)
        self._service = service

    async def bury(self, message: DeadMessage, problem: Problem, *, handler: str) -> int:
        """Store a letter; the same message given up by the same handler is stored once.

        A message so large that its letter would be above the server's limit is cut, which a header tells:
        where it came from, it is whole.

        Returns:
            The letter's sequence in the dead-letter stream.
        """
        origin = f"{message.stream}:{message.sequence}" if message.stream else "request"
        headers = _handed_on(message.headers)
        headers |= {
            f"{PREFIX}subject": message.subject,
            f"{PREFIX}origin": origin,
            f"{PREFIX}service": self._service,
            f"{PREFIX}handler": handler,
            f"{PREFIX}host": socket.gethostname(),
            f"{PREFIX}pid": str(os.getpid()),
            f"{PREFIX}attempts": str(message.attempts),
            f"{PREFIX}time": datetime.now(UTC).isoformat(),
            f"{PREFIX}problem": json.dumps(problem.model_dump(), ensure_ascii=True),
        }
        if message.stream:
            headers["Nats-Msg-Id"] = f"{origin}:{self._service}:{handler}"
        data = message.data[: max(0, self._client.max_payload - ROOM_FOR_LETTER)]
        if len(data) < len(message.data):
            headers[f"{PREFIX}cut-from"] = str(len(message.data))
        ack = await self._js.publish(self._subject, data, stream=self._stream, headers=headers)
        return ack.seq


def _handed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """The message's own headers, but those for the server, if they leave room for the letter's."""
    kept = {key: value for key, value in headers.items() if not key.startswith("Nats-")}
    size = sum(len(key) + len(value.encode()) + 4 for key, value in kept.items())
    return kept if size <= ROOM_FOR_HEADERS else {}
