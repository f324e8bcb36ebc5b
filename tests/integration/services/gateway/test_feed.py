import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from contracts.base import Event
from services.gateway import feed
from services.gateway.feed import cursor_of
from tests.support.door import Door, stream_of
from tests.support.histories import road as history
from tests.support.histories.road import Observation

pytestmark = pytest.mark.integration

START = datetime(2026, 5, 1, tzinfo=UTC)


def events(count: int) -> list[Event]:
    units = (Observation(number=n, files=1, start=START) for n in range(count))
    return [next(iter(history.filing(unit)))[1] for unit in units]


@asynccontextmanager
async def hearing(door: Door, last: str | None = None) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Server-sent events as they come: fields by name."""
    headers = {} if last is None else {"last-event-id": last}
    async with door.http.stream("GET", "/events", headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async with aclosing(fields_of(answer)) as fields:
            yield fields


async def fields_of(answer: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
    fields: dict[str, Any] = {}
    async for line in answer.aiter_lines():
        if line == "":
            if "data" in fields:
                yield fields
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


async def test_events_come_as_they_happen(centre: Door) -> None:
    publisher = centre.road.publisher(centre.place, "somebody")
    wanted = events(3)
    async with hearing(centre) as feeding:
        assert (await anext(feeding))["event"] == "hello"
        for event in wanted:
            await publisher.publish([event])
        told = [json.loads((await anext(feeding))["data"]) for _ in wanted]
    assert [one["about"] for one in told] == [str(event.about()) for event in wanted]
    assert {one["service"] for one in told} == {"somebody"}
    assert {one["stream"] for one in told} == {stream_of(centre.place)}
    assert told[0]["type"] == "chasqui.observation.started.v1"


async def test_a_client_that_comes_again_is_given_what_it_missed(centre: Door) -> None:
    here, there = centre.road.publisher(centre.place), centre.road.publisher(centre.road.telescope)
    wanted = events(9)
    async with hearing(centre) as feeding:
        await anext(feeding)
        await here.publish([wanted[0]])
        last = (await anext(feeding))["id"]
    for number, event in enumerate(wanted[1:7]):
        await (here if number % 2 else there).publish([event])
    async with hearing(centre, last) as again:
        missed = [await anext(again) for _ in range(6)]
        for event in wanted[7:]:
            await here.publish([event])
        live = [await anext(again) for _ in range(2)]
    about = [json.loads(one["data"])["about"] for one in (*missed, *live)]
    assert sorted(about[:6]) == sorted(str(event.about()) for event in wanted[1:7])
    assert about[6:] == [str(event.about()) for event in wanted[7:]]
    positions = {stream: await last_of(centre, stream) for stream in centre.place.streams}
    assert live[-1]["id"] == cursor_of(positions)


async def last_of(door: Door, stream: str) -> int:
    return int((await door.road.client(door.place).jetstream().stream_info(stream)).state.last_seq)


async def test_who_missed_too_much_is_told_so(centre: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_REPLAYED", 3)
    own = stream_of(centre.place)
    await centre.road.publisher(centre.place).publish(events(5))
    async with hearing(centre, f"{own}:1") as again:
        assert (await anext(again))["event"] == "gap"
        await centre.road.publisher(centre.place).publish([events(6)[-1]])
        assert json.loads((await anext(again))["data"])["sequence"] == await last_of(centre, own)


async def test_a_slow_client_is_dropped_and_holds_nobody_up(
    centre: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "WAITING_EACH", 300)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.settimeout(10)
    slow.connect(("127.0.0.1", centre.place.settings.http.gateway_port))
    slow.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await asyncio.to_thread(slow.recv, 64)
    publisher = centre.road.publisher(centre.place)
    wanted = events(12_000)
    async with hearing(centre) as quick:
        await anext(quick)
        for begin in range(0, len(wanted), 200):
            await publisher.publish(wanted[begin : begin + 200])
            for _ in range(200):
                await anext(quick)
    received = await asyncio.to_thread(everything, slow)
    assert 0 < received.count(b"data: ") < len(wanted)


def everything(slow: socket.socket) -> bytes:
    """What still comes until the server hangs up; TimeoutError if it never does."""
    with slow:
        return b"".join(iter(lambda: slow.recv(1 << 16), b""))


async def test_malformed_ids_and_too_many_listeners(centre: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    for bad in ("nonsense", "EVENTS:x", ":3", "a:-1"):
        refused = await centre.http.get("/events", headers={"last-event-id": bad})
        assert (refused.status_code, refused.json()["code"]) == (422, "cursor_invalid")
    monkeypatch.setattr(feed, "MOST_LISTENERS", 1)
    async with hearing(centre) as feeding:
        await anext(feeding)
        refused = await centre.http.get("/events")
        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_listeners")
    head = await centre.http.head("/events")
    assert (head.status_code, head.content) == (200, b"")
