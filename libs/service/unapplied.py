"""What a site has said that its ops-db has not applied yet: the log itself is asked."""

import asyncio

from nats.aio.client import Client

from contracts.envelope import BadEnvelope, Envelope
from libs.bus.pulse import beat
from libs.bus.ranges import read_range
from libs.bus.stored import StoredMessage
from libs.errors import Retriable

MOST = 10_000
"""Events that are read and kept; of what a projection lacks beyond that, nothing is known."""
WITHIN_S = 10.0


class Unapplied:
    """The end of a site's log, read once for all who ask.

    Args:
        client: Connected to the server that has the stream.
        stream: The site's events.
    """

    def __init__(self, client: Client, stream: str) -> None:
        self._client = client
        self._stream = stream
        self._envelopes: dict[int, Envelope] = {}
        self._first = self._next = 1

    async def because_of(self, cause: str, first: int, last: int) -> list[Envelope]:
        """The envelopes of what was said because of one input.

        Args:
            cause: The id of the input.
            first: The first sequence that ops-db lacks.
            last: The last one there is.

        Raises:
            Retriable: ``bus_unavailable``.
        """
        if first < self._first or last < self._next - 1:  # ops-db, or the stream, was set back
            self._envelopes.clear()
            self._next = first
        self._first = first
        self._envelopes = {at: one for at, one in self._envelopes.items() if at >= first}
        self._next = max(self._next, first)
        try:
            async with asyncio.timeout(WITHIN_S):
                async for batch in read_range(self._client, self._stream, self._next, last):
                    self._keep(batch)
                    beat()
        except TimeoutError as error:
            raise Retriable(
                "bus_unavailable",
                f"{self._stream} was not read from {self._next} to {last} within {WITHIN_S:.0f} s",
                "Check that NATS runs; the work goes on by itself once it answers.",
            ) from error
        return [one for one in self._envelopes.values() if one.causation_id == cause]

    def _keep(self, batch: list[StoredMessage]) -> None:
        for message in batch:
            try:
                self._envelopes[message.sequence] = Envelope.from_headers(message.headers)
            except BadEnvelope:
                continue  # nobody can have said it because of anything
            finally:
                self._next = message.sequence + 1
