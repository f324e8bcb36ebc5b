"""Made-up histories in the real streams of a test's sites."""

import asyncio
from collections.abc import Sequence

from libs.opsdb.projection.applying import Happening
from tests.support.histories import road as made_up
from tests.support.road import Road

AT_ONCE = 64


async def publish(road: Road, happenings: Sequence[Happening]) -> dict[str, int]:
    """Store events in the streams of the test's sites, as if they happened there; returns the last sequences.

    The events of a site stay in their order.
    """
    last: dict[str, int] = {}
    for first in range(0, len(happenings), AT_ONCE):
        acks = await asyncio.gather(*(_store(road, one) for one in happenings[first : first + AT_ONCE]))
        for stream, sequence in acks:
            last[stream] = max(sequence, last.get(stream, 0))
    return last


async def _store(road: Road, happening: Happening) -> tuple[str, int]:
    sites = {made_up.ORIGIN: road.telescope, made_up.DESTINATION: road.centre}
    place = sites[happening.envelope.site]
    headers = happening.envelope.headers()
    # Repeats come long after the server has forgotten the id.
    del headers["Nats-Msg-Id"]
    ack = (
        await road.client(place)
        .jetstream(timeout=30)
        .publish(
            happening.event.subject(place.site), happening.event.model_dump_json().encode(), headers=headers
        )
    )
    return ack.stream, ack.seq
