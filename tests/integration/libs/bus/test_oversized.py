"""Messages at the server's limit and above it."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from nats.errors import MaxPayloadError

from contracts.base import Event
from contracts.observations import ObservationStarted
from contracts.subjects import dead_stream, events_stream
from libs.bus.bus import Bus
from libs.bus.provision import provision_consumers
from libs.bus.subscription import Subscription
from tests.support.road import Road

pytestmark = pytest.mark.integration
LISTEN = Subscription("tester", "listen", (ObservationStarted,), ack_wait_s=1.5, max_attempts=3)


def started() -> ObservationStarted:
    return ObservationStarted(
        executed_obs_unit_id=uuid4(), instrument="camera", start_time=datetime(2026, 3, 1, tzinfo=UTC)
    )


async def raw_publish(road: Road, subject: str, body: bytes) -> bytes:
    """Say it to the server without a client library; everything the server answers until it hangs up."""
    address = road.telescope.bus_address()
    server = urlsplit(address.url)
    reader, writer = await asyncio.open_connection(server.hostname, server.port)
    words = {"user": address.user, "pass": address.password, "verbose": False, "pedantic": False}
    try:
        writer.write(
            f"CONNECT {json.dumps(words)}\r\nPUB {subject} {len(body)}\r\n".encode() + body + b"\r\n"
        )
        await writer.drain()
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b"hung up"
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_what_is_above_the_limit_is_refused_by_the_server(road: Road) -> None:
    """It never gets into the log, whoever sends it and with whatever client; the next one does."""
    site = road.telescope.site
    client = road.client(road.telescope)
    subject = ObservationStarted.subject(site)
    with pytest.raises(MaxPayloadError):
        await client.publish(subject, b"x" * (client.max_payload + 1))
    told = await raw_publish(road, subject, b"x" * (client.max_payload + 1))
    assert b"Maximum Payload" in told or told.endswith(b"hung up")
    assert await road.events_of(road.telescope, ObservationStarted) == []
    good = started()
    await road.publisher(road.telescope).publish([good])
    assert await road.events_of(road.telescope, ObservationStarted) == [good]


async def test_an_unreadable_message_of_the_largest_size_holds_nobody_up(road: Road) -> None:
    """Its letter says more than the message did, and is stored all the same."""
    seen: list[object] = []

    async def handle(event: ObservationStarted) -> Sequence[Event]:
        seen.append(event.executed_obs_unit_id)
        return ()

    place = road.telescope
    client = road.client(place)
    body = b"x" * client.max_payload
    good = started()
    await provision_consumers(client, site=place.site, origins=[place.site], subscriptions=[LISTEN])
    bus = Bus(place.bus_address(), site=place.site, sites=(place.site,), service="tester", graceful_s=2.0)
    bus.subscribe(LISTEN, handle)
    await bus.connect()
    await bus.prepare()
    stored = await client.jetstream().publish(ObservationStarted.subject(place.site), body)
    await road.publisher(place).publish([good])
    await bus.broker.start()
    try:
        await road.eventually(lambda: seen == [good.executed_obs_unit_id], what="the good message")
        await road.eventually(lambda: _letters(road), what="the letter")
    finally:
        await bus.broker.stop()
        await bus.close()
    (letter,) = await road.letters(place)
    assert letter["chasqui-dead-cut-from"] == str(len(body))
    assert letter["chasqui-dead-origin"] == f"{events_stream(place.site)}:{stored.seq}"
    assert '"code": "bad_envelope"' in letter["chasqui-dead-problem"]


async def _letters(road: Road) -> int:
    state = (
        await road.client(road.telescope).jetstream().stream_info(dead_stream(road.telescope.site))
    ).state
    return int(state.messages)
