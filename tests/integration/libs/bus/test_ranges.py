"""Reading a part of a stream: all of it, in order, and nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats
import nats.errors
import pytest
from nats.aio.client import Client

from libs.bus import ranges
from libs.bus.ranges import read_range
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
    name = f"RANGES_{tmp_path.name}_{time.monotonic_ns()}"
    await client.jetstream().add_stream(name=name, subjects=[f"{name}.>"])
    yield name
    await client.jetstream().delete_stream(name)


async def fill(client: Client, stream: str, first: int, last: int, padding: int = 0) -> None:
    js = client.jetstream()
    for n in range(first, last + 1):
        await js.publish_async(f"{stream}.n", b"%d " % n + b"x" * padding, headers={"number": str(n)})
    await js.publish_async_completed()


async def take(
    client: Client, stream: str, first: int, last: int, max_batch: int = 100
) -> list[StoredMessage]:
    found: list[StoredMessage] = []
    async with asyncio.timeout(100):
        async for batch in read_range(client, stream, first, last, max_batch=max_batch):
            assert len(batch) <= max_batch
            found += batch
    return found


@pytest.mark.parametrize(("first", "last"), [(1, 1000), (1, 1), (371, 629), (1000, 1000), (5, 4)])
async def test_exactly_this_part(client: Client, stream: str, first: int, last: int) -> None:
    await fill(client, stream, 1, 1000)
    found = await take(client, stream, first, last)
    assert [m.sequence for m in found] == list(range(first, last + 1))
    assert [int(m.data) for m in found] == list(range(first, last + 1))
    for message in found[:1]:
        assert message.headers["number"] == str(first)
        assert (message.stream, message.subject) == (stream, f"{stream}.n")
        assert abs(message.time.timestamp() - time.time()) < 100


async def test_messages_that_were_removed_are_left_out(client: Client, stream: str) -> None:
    await fill(client, stream, 1, 60)
    for gone in (20, 21, 40):
        await client.jetstream().delete_msg(stream, gone)
    found = [m.sequence for m in await take(client, stream, 15, 40, max_batch=10)]
    assert found == [n for n in range(15, 40) if n not in (20, 21)]


async def test_large_messages_come_in_several_pulls(
    client: Client, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "MOST_BYTES", 100_000)
    await fill(client, stream, 1, 50, padding=30_000)
    sizes = [len(batch) async for batch in read_range(client, stream, 1, 50)]
    assert sum(sizes) == 50
    assert max(sizes) <= 3


async def test_what_is_not_there_yet_is_waited_for(client: Client, stream: str) -> None:
    await fill(client, stream, 1, 10)
    taking = asyncio.create_task(take(client, stream, 6, 15))
    await asyncio.sleep(0.3)
    assert not taking.done()
    await fill(client, stream, 11, 20)
    assert [m.sequence for m in await taking] == list(range(6, 16))


async def test_nothing_is_left_behind(client: Client, stream: str) -> None:
    await fill(client, stream, 1, 30)
    await take(client, stream, 2, 20)
    await client.flush()
    for _ in range(100):
        if not await client.jetstream().consumers_info(stream):
            return
        await asyncio.sleep(0.05)
    pytest.fail("the consumer is still there")


async def test_a_closed_client_is_told(servers: TestServers) -> None:
    client = await nats.connect(servers.nats_url, user=servers.nats_user, password=servers.nats_password)
    await client.close()
    with pytest.raises(nats.errors.Error):
        await take(client, "ANY", 1, 2)


async def test_a_restarted_server_loses_and_repeats_nothing(tmp_path: Path) -> None:
    server = await EmbeddedNats(tmp_path / "nats", name="restarted").start()
    try:
        quick: dict[str, Any] = {"reconnect_time_wait": 0.2, "max_reconnect_attempts": -1}
        client = await nats.connect(server.url, user=server.user, password=server.password, **quick)
        await client.jetstream().add_stream(name="KEPT", subjects=["KEPT.>"])
        await fill(client, "KEPT", 1, 900)
        found: list[int] = []
        async with asyncio.timeout(100):
            async for batch in read_range(client, "KEPT", 101, 900, max_batch=50):
                found += [m.sequence for m in batch]
                if len(found) == 200:
                    await server.stop()
                    await server.start()
        assert found == list(range(101, 901))
        await client.close()
    finally:
        await server.stop()
