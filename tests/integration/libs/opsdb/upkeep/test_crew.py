"""Several processes fold what one would."""

import asyncio
import json
import random
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import asyncpg
import psutil
import pytest

from contracts.subjects import events_stream
from libs.errors import Permanent, Retriable
from libs.opsdb.connecting import quoted
from libs.opsdb.migrating import migrate
from libs.opsdb.projection.reconciling import conclude
from libs.opsdb.rebuild import LogStream, OnEvents, compare, rebuild
from libs.opsdb.upkeep.crew import Crew, Part, Workplace
from libs.opsdb.writer import OpsDbWriter
from libs.service.service import Place
from tests.support.histories.logs import eventful, log
from tests.support.published import publish
from tests.support.road import Road
from tests.support.upkeep import streams

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[5]


@pytest.fixture
async def told(road: Road) -> dict[str, int]:
    """Streams with repeats, with messages that are no events, and with one that cannot be stored."""
    place = road.telescope
    happenings = log(eventful(40, 11), 11, repeats=0.1)
    half = len(happenings) // 2
    last = await publish(road, happenings[:half])
    js = road.client(place).jetstream()
    await js.publish(f"chasqui.{place.site}.nonsense.happened.v1", b"\x00 no event")
    filed = next(h for h in happenings if b"exposure" in h.event.model_dump_json().encode())
    nul = filed.event.model_dump_json().replace("exposure", "exp\\u0000sure").encode()
    headers = {key: value for key, value in filed.envelope.headers().items() if key != "Nats-Msg-Id"}
    headers["ce-id"] = "00000000-0000-4000-8000-000000000000"
    await js.publish(filed.event.subject(place.site), nul, headers=headers)
    return last | await publish(road, happenings[half:])


def parts_of(place: Place, last: dict[str, int], length: int) -> list[Part]:
    return [
        Part(stream, first, min(first + length - 1, last[stream.name]))
        for stream in streams(place)
        for first in range(1, last[stream.name] + 1, length)
    ]


def at(place: Place, schema: str) -> Workplace:
    return Workplace(place.bus_address(), place.opsdb_writer_dsn(), schema, "a crew")


async def fold_together(place: Workplace, parts: Sequence[Part], on_events: OnEvents, hands: int) -> None:
    async with Crew.open(place, hands) as crew:
        await crew.fold(parts, on_events)


@pytest.mark.parametrize(("hands", "length"), [pytest.param(3, 17, marks=pytest.mark.long), (2, 100)])
async def test_it_is_what_one_process_folds(
    road: Road, told: dict[str, int], hands: int, length: int
) -> None:
    place = road.telescope
    dsn = place.opsdb_writer_dsn()
    await rebuild(road.client(place), dsn, streams(place), "one")
    await migrate(dsn, "many")
    counted: list[int] = []
    await fold_together(at(place, "many"), parts_of(place, told, length), counted.append, hands)
    assert sum(counted) == sum(told.values())
    async with (
        OpsDbWriter.open(dsn, schema="many") as writer,
        writer.transaction("read_committed") as connection,
    ):
        await conclude(connection)
    assert await compare(dsn, "one", "many") == []
    records = await rows_of(dsn, "many", "event_record")
    assert 0 < records < sum(told.values()) - 2


async def rows_of(dsn: str, schema: str, table: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        count = await connection.fetchval(f"SELECT count(*) FROM {quoted(schema)}.{table}")  # noqa: S608 - named here
        return int(count)
    finally:
        await connection.close()


def hands_alive() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and "libs.opsdb.upkeep.hand" in child.cmdline()
    ]


async def test_one_that_is_killed_ends_the_work(road: Road, told: dict[str, int]) -> None:
    place = road.telescope
    await migrate(place.opsdb_writer_dsn(), "many")

    def kill_one(_events: int) -> None:
        random.choice(hands_alive()).kill()  # noqa: S311 - whichever

    with pytest.raises(Permanent) as met:
        await fold_together(at(place, "many"), parts_of(place, told, 10), kill_one, 3)
    assert met.value.problem.code == "hand_ended"
    assert "-9" in met.value.problem.reason
    assert hands_alive() == []


async def test_one_that_is_gone_before_there_is_work_is_told(road: Road, told: dict[str, int]) -> None:
    place = road.telescope
    async with Crew.open(at(place, "many"), 2) as crew:
        for process in hands_alive():
            process.kill()
            process.wait()
        with pytest.raises(Permanent) as met:
            await crew.fold(parts_of(place, told, 10), lambda _: None)
    assert met.value.problem.code == "hand_ended"


async def test_a_cancelled_crew_is_gone(road: Road, told: dict[str, int]) -> None:
    place = road.telescope
    await migrate(place.opsdb_writer_dsn(), "many")
    begun = asyncio.Event()
    work = fold_together(at(place, "many"), parts_of(place, told, 10), lambda _: begun.set(), 2)
    task = asyncio.create_task(work)
    await asyncio.wait_for(begun.wait(), 60)
    assert hands_alive()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert hands_alive() == []


async def test_one_ends_with_its_input_whatever_it_waits_for(road: Road) -> None:
    place = road.telescope
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "libs.opsdb.upkeep.hand", stdin=PIPE, stdout=PIPE, cwd=ROOT
    )
    assert process.stdin is not None
    where = {"bus": asdict(place.bus_address()), "dsn": place.opsdb_writer_dsn(), "schema": "x", "name": "y"}
    nowhere = {"stream": "NOT_THERE", "domain": None, "first": 1, "last": 2}
    for line in (where, nowhere):
        process.stdin.write(json.dumps(line).encode() + b"\n")
    await process.stdin.drain()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(process.wait(), 8)
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 60) == 0


async def test_what_one_meets_is_told(road: Road, told: dict[str, int]) -> None:
    place = road.telescope
    parts = [Part(LogStream(events_stream(place.site)), 1, told[events_stream(place.site)])]
    nowhere = Workplace(place.bus_address(), "postgresql://nobody@127.0.0.1:9/none", "many", "a crew")
    with pytest.raises(Retriable) as met:
        await fold_together(nowhere, parts, lambda _: None, 2)
    assert met.value.problem.code == "opsdb_unavailable"
