"""Reading a stream by sequence, byte for byte.

Not through a consumer: NATS' client hands out headers parsed, and of two with one name only the last.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from libs.bus.connection import unavailable
from libs.errors import Permanent
from libs.eventlog.records import LogRecord

FEW, MANY = 8, 256
"""Requests under way, and records of a batch."""
MOST_BYTES = 4 << 20
"""Of a batch, if its messages are as large as those before."""
TIMEOUT_S = 10.0
NO_STREAM = 10059
NO_MESSAGE = 10037


@dataclass(frozen=True, slots=True)
class Extent:
    """The first and the last sequence of a stream; the last is 0 if nothing was ever stored."""

    first: int
    last: int


class StreamReader:
    """One stream of a server, or of another server by its JetStream domain.

    Args:
        client: A connected NATS client.
        stream: The stream, or a mirror of it.
        domain: JetStream domain of the server that has it; the client's own if left out.
    """

    def __init__(self, client: Client, stream: str, domain: str | None = None) -> None:
        self._client = client
        self._api = f"$JS.{domain}.API" if domain else "$JS.API"
        self.stream = stream

    async def extent(self) -> Extent | None:
        """What there is; None if there is no such stream.

        Raises:
            Retriable: ``bus_unavailable``: the server cannot be reached.
        """
        answer = await self._ask("STREAM.INFO", {})
        if "error" in answer:
            if answer["error"].get("err_code") == NO_STREAM:
                return None
            raise self._refused(answer["error"])
        state = answer["state"]
        return Extent(int(state["first_seq"]), int(state["last_seq"]))

    async def record(self, sequence: int) -> LogRecord:
        """One message.

        Raises:
            Permanent: ``log_gap``: the stream has no such message.
            Retriable: ``bus_unavailable``.
        """
        answer = await self._ask("STREAM.MSG.GET", {"seq": sequence})
        if "error" in answer:
            if answer["error"].get("err_code") == NO_MESSAGE:
                raise _gap(self.stream, sequence)
            raise self._refused(answer["error"])
        message = answer["message"]
        return LogRecord(
            sequence=int(message["seq"]),
            subject=message["subject"],
            headers=base64.b64decode(message.get("hdrs", "")),
            data=base64.b64decode(message.get("data", "")),
            time=message["time"],
        )

    async def records(self, first: int, last: int) -> AsyncIterator[list[LogRecord]]:
        """Every message from one sequence to another, in order, in batches.

        Many requests are under way at once; fewer when messages are large, so that memory stays flat.

        Raises:
            Permanent: ``log_gap``.
            Retriable: ``bus_unavailable``.
        """
        following, width = first, FEW
        while following <= last:
            sequences = range(following, min(following + width, last + 1))
            batch = list(await asyncio.gather(*(self.record(sequence) for sequence in sequences)))
            yield batch
            following += len(batch)
            size = sum(len(record.data) + len(record.headers) for record in batch) // len(batch)
            width = max(FEW, min(MANY, MOST_BYTES // max(size, 1)))

    async def _ask(self, verb: str, question: dict[str, int]) -> dict[str, Any]:
        subject = f"{self._api}.{verb}.{self.stream}"
        try:
            reply = await self._client.request(subject, json.dumps(question).encode(), timeout=TIMEOUT_S)
        except (NatsError, OSError, TimeoutError) as error:
            silent = isinstance(error, NoRespondersError)
            what = NatsError(f"nobody answers at {self._api}") if silent else error
            raise unavailable(str(self._client.connected_url), what) from error
        answer: dict[str, Any] = json.loads(reply.data)
        return answer

    def _refused(self, error: object) -> Permanent:
        return Permanent(
            "stream_unreadable",
            f"the server does not hand out {self.stream}: {error}",
            "Look at the stream with the nats tool, and at the server's log.",
        )


def _gap(stream: str, sequence: int) -> Permanent:
    return Permanent(
        "log_gap",
        f"{stream} has no message {sequence}, which comes before its end",
        "Nothing of Chasqui's deletes events: look at the server's log and disk, and compare with a mirror.",
    )
