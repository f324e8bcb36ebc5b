"""Reading a stream by position: in order, without gaps, through restarts of the server."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import nats
import nats.errors
import pytest
from nats.aio.client import Client

from libs.bus.reading import read_batches
from libs.bus.stored import StoredMessage
from libs.embedded.nats import EmbeddedNats
from tests.support.servers import TestServers

pytestmark = pytest.mark.integration


@pytest.fixture
async def client(servers: TestServers) -> AsyncIterator[Client]:
    connected = await nats.connect(servers.nats_url, user=servers.nats_user, password=servers.nats_password)
    yield connected
    await connected.close()


@pytest.fixture
async def stream(client: Client, tmp_path: Path) -> AsyncIterator[str]:
    name = f"READING_{tmp_path.name}_{time.monotonic_ns()}"
    await client.jetstream().add_stream(name=name, subjects=[f"{name}.>"])
    yield name
    await client.jetstream().delete_stream(name)


async def fill(client: Client, stream: str, first: int, last: int) -> None:
    js = client.jetstream()
    for n in range(first, last + 1):
        await js.publish_async(f"{stream}.n", str(n).encode(), headers={"number": str(n)})
    await js.publish_async_completed()


async def take(
    client: Client, stream: str, upto: int, *, start: int = 1, max_batch: int = 100
) -> list[StoredMessage]:
    found: list[StoredMessage] = []
    async with (
        asyncio.timeout(60),
        aclosing(read_batches(client, stream, start=start, max_batch=max_batch)) as batches,
    ):
        async for batch in batches:
            assert 0 < len(batch) <= max_batch
            found += batch
            if found[-1].sequence >= upto:
                return found
    raise AssertionError("the reader ended by itself")


async def test_everything_in_order(client: Client, stream: str) -> None:
    await fill(client, stream, 1, 5000)
    found = await take(client, stream, 5000)
    assert [m.sequence for m in found] == list(range(1, 5001))
    assert [m.data for m in found] == [str(n).encode() for n in range(1, 5001)]
    assert found[41].headers["number"] == "42"
    assert found[41].subject == f"{stream}.n"
    assert abs(found[41].time.timestamp() - time.time()) < 60


async def test_from_a_position_on(client: Client, stream: str) -> None:
    await fill(client, stream, 1, 50)
    assert [m.sequence for m in await take(client, stream, 50, start=41)] == list(range(41, 51))


async def test_what_comes_is_handed_over_at_once(client: Client, stream: str) -> None:
    js = client.jetstream()
    waits = []
    async with asyncio.timeout(30), aclosing(read_batches(client, stream)) as batches:
        following = asyncio.create_task(batches.__anext__())
        await asyncio.sleep(0.3)
        for _ in range(20):
            sent = time.perf_counter()
            await js.publish(f"{stream}.n", b"x")
            [message] = await following
            waits.append(time.perf_counter() - sent)
            following = asyncio.create_task(batches.__anext__())
            assert message.data == b"x"
        following.cancel()
        await asyncio.wait([following])
    assert sorted(waits)[10] < 0.1


async def test_a_slow_reader_loses_nothing_and_holds_the_server_up(client: Client, stream: str) -> None:
    await fill(client, stream, 1, 3000)
    found: list[int] = []
    async with asyncio.timeout(60), aclosing(read_batches(client, stream, max_batch=50)) as batches:
        async for batch in batches:
            found += [m.sequence for m in batch]
            await asyncio.sleep(1.5 if len(found) == 50 else 0)
            if found[-1] == 3000:
                break
    assert found == list(range(1, 3001))


async def test_nothing_is_left_behind(client: Client, stream: str) -> None:
    await fill(client, stream, 1, 10)
    await take(client, stream, 10)
    await client.flush()
    for _ in range(100):
        if not await client.jetstream().consumers_info(stream):
            return
        await asyncio.sleep(0.05)
    pytest.fail("the consumer is still there")


async def test_a_stream_that_comes_later(client: Client) -> None:
    name = f"LATER_{time.monotonic_ns()}"
    taking = asyncio.create_task(take(client, name, 3))
    await asyncio.sleep(0.3)
    await client.jetstream().add_stream(name=name, subjects=[f"{name}.>"])
    try:
        await fill(client, name, 1, 3)
        assert [m.sequence for m in await taking] == [1, 2, 3]
    finally:
        await client.jetstream().delete_stream(name)


async def test_a_closed_client_is_told(servers: TestServers) -> None:
    client = await nats.connect(servers.nats_url, user=servers.nats_user, password=servers.nats_password)
    await client.close()
    with pytest.raises(nats.errors.Error):
        await take(client, "ANY", 1)


async def test_a_restarted_server_loses_and_repeats_nothing(tmp_path: Path) -> None:
    server = await EmbeddedNats(tmp_path / "nats", name="restarted").start()
    try:
        quick: dict[str, Any] = {"reconnect_time_wait": 0.2, "max_reconnect_attempts": -1}
        back = asyncio.Event()

        async def reconnected() -> None:
            back.set()

        client = await nats.connect(
            server.url, user=server.user, password=server.password, reconnected_cb=reconnected, **quick
        )
        await client.jetstream().add_stream(name="KEPT", subjects=["KEPT.>"])
        await fill(client, "KEPT", 1, 500)
        taking = asyncio.create_task(take(client, "KEPT", 1500, max_batch=7))
        await asyncio.sleep(0.5)
        await server.stop()
        await asyncio.sleep(0.5)
        await server.start()
        async with asyncio.timeout(30):
            await back.wait()
        await fill(client, "KEPT", 501, 1500)
        assert [m.sequence for m in await taking] == list(range(1, 1501))
        await client.close()
    finally:
        await server.stop()
