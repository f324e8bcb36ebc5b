"""Verifying the ops-db of a site that works on."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from nats.aio.client import Client

from contracts.subjects import events_stream
from libs.errors import ChasquiError, Permanent, Retriable, UserError
from libs.opsdb.rebuild import LogStream
from libs.opsdb.upkeep import beside
from libs.opsdb.upkeep.claim import claimed
from libs.opsdb.upkeep.comparing import Kind
from libs.opsdb.upkeep.logs import require_whole
from libs.opsdb.upkeep.progress import Progress, Stage
from libs.opsdb.upkeep.verifying import verify
from libs.service.service import Place
from tests.support.histories.logs import eventful, log
from tests.support.published import publish
from tests.support.road import Road
from tests.support.upkeep import applied, doomed, execute, leftovers, verified

pytestmark = pytest.mark.integration


async def refused(place: Place) -> str:
    with pytest.raises(ChasquiError) as told:
        await verified(place)
    return told.value.problem.code


@asynccontextmanager
async def projected(road: Road) -> AsyncIterator[dict[str, int]]:
    """The telescope's projector runs, and has applied a log of both sites."""
    async with road.running(road.telescope, "projector"):
        last = await publish(road, log(eventful(6, 3), 3, repeats=0.1))
        await applied(road.telescope, last)
        yield last


async def test_equal_and_different(road: Road) -> None:
    place = road.telescope
    told: list[Progress] = []
    async with projected(road) as last:
        found = await verified(place, told.append)
        assert (found.differences, found.positions) == ((), last)
        assert found.events == sum(last.values())
        assert await leftovers(road, place) == set()
        assert {one.stage for one in told} >= {Stage.FOLDING, Stage.COMPARING, Stage.DROPPING}

        await execute(
            place,
            "UPDATE raw_data_file SET sha256 = repeat('0', 64) WHERE id = (SELECT max(id::text)::uuid FROM raw_data_file)",
            "DELETE FROM staging_job",
            "INSERT INTO site (name) VALUES ('atlantis')",
        )
        found = await verified(place)
        assert {one.table for one in found.differences} == {"raw_data_file", "staging_job", "site"}
        [extra] = next(one.samples for one in found.differences if one.table == "site")
        assert (extra.kind, extra.key) == (Kind.ONLY_IN_FIRST, {"name": "atlantis"})
        assert await leftovers(road, place) == set()


async def test_while_events_pour_in(road: Road) -> None:
    place = road.telescope
    async with projected(road):
        pouring = asyncio.create_task(publish(road, log(eventful(60, 4), 4)))
        rounds = 0
        while not pouring.done() or rounds == 0:
            found = await verified(place)
            assert found.differences == ()
            rounds += 1
        last = await pouring
        await applied(place, last)
        assert (await verified(place)).positions == last


async def test_what_comes_after_the_view_is_not_looked_at(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = road.telescope

    async def and_more_comes(nc: Client, known: Sequence[LogStream], upto: Mapping[str, int]) -> None:
        await require_whole(nc, known, upto)
        await applied(place, await publish(road, log(eventful(1, 8), 8)))

    monkeypatch.setattr(beside, "require_whole", and_more_comes)
    async with projected(road):
        assert (await verified(place)).differences == ()


async def test_what_was_passed_over_is_passed_over_and_not_buried_again(road: Road) -> None:
    place = road.telescope
    async with road.running(place, "projector"):
        last = await publish(road, log(eventful(2, 1), 1))
        js = road.client(place).jetstream()
        await js.publish(f"chasqui.{place.site}.nonsense.happened.v1", b"\x00 no event")
        ack = await js.publish(f"chasqui.{place.site}.nonsense.happened.v1", b"{}")
        await applied(place, last | {ack.stream: ack.seq})
        await road.eventually(lambda: _letters(road, place, 2), what="the letters")
        assert (await verified(place)).differences == ()
        assert len(await road.letters(place)) == 2


async def _letters(road: Road, place: Place, count: int) -> bool:
    return len(await road.letters(place)) == count


async def test_one_at_a_time_and_a_dead_one_holds_nobody_up(road: Road) -> None:
    place = road.telescope
    async with projected(road):
        async with claimed(place.opsdb_writer_dsn(), "rebuild"):
            with pytest.raises(Retriable, match="rebuild runs since") as told:
                await verified(place)
            assert told.value.problem.code == "upkeep_running"
        await execute(
            place,
            "CREATE SCHEMA chasqui_beside_public",
            "CREATE TABLE chasqui_beside_public.site (name text)",
            "CREATE SCHEMA chasqui_replaced_public",
        )
        assert (await verified(place)).differences == ()
        assert await leftovers(road, place) == set()


async def test_an_interrupted_one_leaves_nothing(road: Road) -> None:
    place = road.telescope
    folding = asyncio.Event()

    def tell(progress: Progress) -> None:
        if progress.stage is Stage.FOLDING:
            folding.set()

    async with projected(road):
        running = asyncio.create_task(verified(place, tell))
        await asyncio.wait_for(folding.wait(), 60)
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        assert await leftovers(road, place) == set()


@pytest.mark.parametrize("stage", [pytest.param(Stage.FOLDING, marks=pytest.mark.long), Stage.COMPARING])
async def test_a_killed_one_is_cleared_away_by_the_next(road: Road, stage: Stage) -> None:
    place = road.telescope
    async with projected(road):
        process = doomed(place, "verify", stage)
        await asyncio.to_thread(process.join, 100)
        assert process.exitcode == -9
        assert await leftovers(road, place) == {"chasqui_beside_public"}
        found = await verified(place)
        assert found.differences == ()
        assert await leftovers(road, place) == set()


async def test_a_log_that_is_not_whole_is_no_proof(road: Road) -> None:
    place = road.telescope
    own, other = events_stream(place.site), events_stream(road.centre.site)
    async with projected(road) as last:
        pass
    moved = f"UPDATE stream_position SET sequence = sequence %s 1 WHERE stream = '{own}'"  # noqa: S608 - our own name
    await execute(place, moved % "+")
    with pytest.raises(Retriable, match=f"ends at {last[own]}") as behind:
        await verified(place)
    assert behind.value.problem.code == "log_behind"
    await execute(place, moved % "-")
    with pytest.raises(Permanent) as unknown:
        await verify(place.bus_address(), place.opsdb_writer_dsn(), [LogStream(own)])
    assert unknown.value.problem.code == "log_unknown"
    assert await verified(place)
    js = road.client(place).jetstream()
    await js.delete_stream(other)
    assert await refused(place) == "log_unknown"
    await js.add_stream(name=other, subjects=["elsewhere"])
    for _ in range(last[other]):
        await js.publish("elsewhere", b"")
    await js.purge_stream(other, seq=3)
    assert await refused(place) == "log_incomplete"
    assert await leftovers(road, place) == set()


async def test_tables_of_another_release(road: Road) -> None:
    await execute(road.telescope, "UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(UserError) as told:
        await verified(road.telescope)
    assert told.value.problem.code == "opsdb_outdated"
    await execute(road.telescope, "DROP TABLE stream_position")
    assert await refused(road.telescope) == "opsdb_not_prepared"
