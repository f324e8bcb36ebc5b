"""What a site has said that its ops-db has not applied yet: the log itself is asked."""

import asyncio
from contextlib import suppress

from nats.aio.client import Client

from contracts.envelope import BadEnvelope, Envelope
from libs.bus.ranges import read_range
from libs.errors import Retriable

MOST = 10_000
"""Events that are read for one question; behind by more than that, a projection is rather waited for."""
WITHIN_S = 10.0


async def said_because_of(client: Client, stream: str, first: int, last: int, cause: str) -> list[Envelope]:
    """The envelopes of what a part of a stream says because of one input.

    Args:
        client: Connected to the server that has the stream.
        stream: The site's events.
        first: The first sequence that ops-db lacks.
        last: The last one there is.
        cause: The id of the input.

    Raises:
        Retriable: ``bus_unavailable``.
    """
    found: list[Envelope] = []
    try:
        async with asyncio.timeout(WITHIN_S):
            async for batch in read_range(client, stream, first, last):
                for message in batch:
                    with suppress(BadEnvelope):  # whoever it is for finds that out
                        envelope = Envelope.from_headers(message.headers)
                        if envelope.causation_id == cause:
                            found.append(envelope)
    except TimeoutError as error:
        raise Retriable(
            "bus_unavailable",
            f"{stream} was not read from {first} to {last} within {WITHIN_S:.0f} s",
            "Check that NATS runs; the work goes on by itself once it answers.",
        ) from error
    return found
