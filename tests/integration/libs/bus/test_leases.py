"""Leases on a real server, held by real processes that are killed, stopped and cut off."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from nats.js.api import StorageType

from contracts.subjects import lease_bucket
from libs.bus.connection import BusAddress, connect
from libs.bus.leases import LeaseLost, Leases, holders
from libs.bus.provision import provision_streams
from libs.embedded.nats import EmbeddedNats
from libs.service.ticking import ticking
from tests.support.leaseholders import Contest, Found
from tests.support.road import Road

pytestmark = pytest.mark.integration

LEASE_S = 2.0


@pytest.fixture
def contest(road: Road, tmp_path: Path) -> Contest:
    place = road.telescope
    return Contest(place.bus_address(), place.site, LEASE_S, tmp_path / "record")


def leases_of(road: Road, instance: str, lease_s: float = LEASE_S) -> Leases:
    place = road.telescope
    return Leases(road.client(place), site=place.site, instance=instance, lease_s=lease_s)


def assert_one_after_the_other(found: list[Found]) -> None:
    """Sorted by time, tokens never fall, and each belongs to one process."""
    tokens = [one.token for one in found]
    assert tokens == sorted(tokens)
    assert all(len({one.who for one in found if one.token == token}) == 1 for token in set(tokens))


async def until_held(road: Road, contest: Contest, who: str, since: float = 0.0) -> None:
    await road.eventually(lambda: contest.holder(since) == who, what=f"{who}'s turn")


async def test_one_process_holds_it_and_gives_it_back_when_it_ends(road: Road, contest: Contest) -> None:
    async with contest.contender("first") as first:
        await until_held(road, contest, "first")
        async with contest.contender("second"):
            await asyncio.sleep(1.5 * LEASE_S)
            assert {one.who for one in contest.found()} == {"first"}
            ended = time.monotonic()
            first.send_signal(signal.SIGTERM)
            await until_held(road, contest, "second", ended)
            took = next(one.at for one in contest.found() if one.who == "second") - ended
    assert took < LEASE_S, "what is given back need not be waited for"
    assert_one_after_the_other(contest.found())


async def test_a_killed_holder_is_followed_at_once_on_its_machine(road: Road, contest: Contest) -> None:
    async with contest.contender("first") as first:
        await until_held(road, contest, "first")
        async with contest.contender("second"):
            await asyncio.sleep(0.5 * LEASE_S)
            killed = time.monotonic()
            first.send_signal(signal.SIGKILL)
            await until_held(road, contest, "second", killed)
            took = next(one.at for one in contest.found() if one.who == "second") - killed
    assert took < LEASE_S * 4 / 5, "a living holder would be waited for longer"
    assert_one_after_the_other(contest.found())


async def test_a_stopped_holder_is_followed_and_knows_it_when_it_wakes(road: Road, contest: Contest) -> None:
    async with contest.contender("first") as first, contest.contender("second") as second:
        contenders = {"first": first, "second": second}
        await road.eventually(contest.found, what="anybody's turn")
        for _ in range(3):
            holder = contest.found()[-1].who
            (other,) = contenders.keys() - {holder}
            stopped = time.monotonic()
            contenders[holder].send_signal(signal.SIGSTOP)
            await until_held(road, contest, other, stopped)
            contenders[holder].send_signal(signal.SIGCONT)
            await asyncio.sleep(LEASE_S / 2)
            assert contest.holder(time.monotonic() - LEASE_S / 4) == other
    assert_one_after_the_other(contest.found())


async def test_a_short_stop_costs_nothing(road: Road, contest: Contest) -> None:
    async with contest.contender("first") as first:
        await until_held(road, contest, "first")
        async with contest.contender("second"):
            for _ in range(5):
                first.send_signal(signal.SIGSTOP)
                await asyncio.sleep(LEASE_S / 10)
                first.send_signal(signal.SIGCONT)
                await asyncio.sleep(LEASE_S / 3)
    assert {one.token for one in contest.found()} == {contest.found()[0].token}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    """A NATS server of the test's own, to be killed."""
    made = EmbeddedNats(tmp_path / "nats", name="own")
    await made.start()
    client = await connect(address_of(made), name="test")
    await provision_streams(client, site="chile")
    await client.close()
    try:
        yield made
    finally:
        await made.stop()


def address_of(server: EmbeddedNats) -> BusAddress:
    return BusAddress(server.url, server.user, server.password)


async def killed(server: EmbeddedNats) -> None:
    """Kill the server and wait until it has gone."""
    for pid in server.pids:
        os.kill(pid, signal.SIGKILL)
    await server.stop()


async def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.02)


async def test_a_server_that_is_killed_ends_no_lease_early(server: EmbeddedNats, tmp_path: Path) -> None:
    contest = Contest(address_of(server), "chile", 20.0, tmp_path / "record")
    async with contest.contender("first"):
        await eventually(lambda: contest.holder(0.0) == "first")
        async with contest.contender("second"):
            await asyncio.sleep(1.0)
            await killed(server)
            await server.start()
            again = time.monotonic()
            await eventually(lambda: contest.holder(again + 4.0))
            assert {one.who for one in contest.found()} == {"first"}
    assert len({one.token for one in contest.found()}) == 1


async def test_without_a_server_the_holder_stops_and_nobody_begins(
    server: EmbeddedNats, tmp_path: Path
) -> None:
    contest = Contest(address_of(server), "chile", LEASE_S, tmp_path / "record")
    async with contest.contender("first"), contest.contender("second"):
        await eventually(contest.found)
        await killed(server)
        away = time.monotonic()
        await asyncio.sleep(2 * LEASE_S)
        assert contest.found()[-1].at < away + LEASE_S * 4 / 5
        await server.start()
        back = time.monotonic()
        await eventually(lambda: contest.holder(back))
    assert_one_after_the_other(contest.found())


async def test_the_block_is_cancelled_when_somebody_else_has_the_lease(road: Road) -> None:
    """As after a pause that no clock has seen: the bucket decides."""
    lease = leases_of(road, "robbed").of("test")
    bucket = await road.client(road.telescope).jetstream().key_value(lease_bucket(road.telescope.site))

    async def hold() -> None:
        async with lease.held():
            lease.check()
            await bucket.put("test", b"somebody else")
            await asyncio.sleep(30)

    with pytest.raises(LeaseLost):
        await hold()
    with pytest.raises(LeaseLost):
        lease.check()
    assert (await bucket.get("test")).value == b"somebody else", "it is not the robbed one's to give back"


async def test_a_lease_is_not_held_before_and_after_its_block(road: Road) -> None:
    lease = leases_of(road, "one").of("test")
    tokens = []
    for _ in range(3):
        with pytest.raises(LeaseLost):
            lease.check()
        async with lease.held():
            tokens.append(lease.token)
    assert tokens == sorted(set(tokens))


async def test_what_the_block_raises_comes_out(road: Road) -> None:
    lease = leases_of(road, "one").of("test")
    with pytest.raises(TimeoutError, match="of the block"):
        async with lease.held():
            raise TimeoutError("of the block")
    async with asyncio.timeout(LEASE_S), lease.held():
        pass


async def test_who_holds_what_is_told(road: Road) -> None:
    place = road.telescope
    assert await holders(road.client(place), place.site) == {}
    leases = leases_of(road, "janitor.host-1", lease_s=15.0)
    async with leases.of("janitor.sweep").held(), leases.of("stager.expiry").held():
        told = await holders(road.client(place), place.site)
        assert [(name, one.instance, one.lease_s) for name, one in told.items()] == [
            ("janitor.sweep", "janitor.host-1", 15.0),
            ("stager.expiry", "janitor.host-1", 15.0),
        ]
    assert await holders(road.client(place), place.site) == {}


async def test_nothing_in_the_bucket_expires_or_is_lost_with_the_server(road: Road) -> None:
    info = (
        await road.client(road.telescope).jetstream().stream_info(f"KV_{lease_bucket(road.telescope.site)}")
    )
    assert (info.config.max_age, info.config.storage) == (0, StorageType.FILE)


async def test_of_two_clocks_one_ticks_and_the_other_takes_over(road: Road) -> None:
    ticks: list[str] = []

    async def clock(name: str, stop: asyncio.Event) -> None:
        async def tick() -> None:
            ticks.append(name)

        async with ticking(0.01, tick, what="test", lease=leases_of(road, name).of("clock")):
            await stop.wait()

    stops = {name: asyncio.Event() for name in ("one", "two")}
    tasks = {name: asyncio.create_task(clock(name, stop)) for name, stop in stops.items()}
    await eventually(lambda: len(ticks) > 20)
    (first,) = set(ticks)
    stops[first].set()
    await tasks[first]
    before = len(ticks)
    await eventually(lambda: len(ticks) > before + 5)
    (second,) = set(ticks[before:])
    assert first != second
    stops[second].set()
    await tasks[second]


async def test_a_clock_that_lost_its_lease_stops_its_action_and_comes_back(road: Road) -> None:
    begun: list[int] = []
    ended: list[int] = []

    async def tick() -> None:
        begun.append(len(begun))
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(len(ended))

    bucket = await road.client(road.telescope).jetstream().key_value(lease_bucket(road.telescope.site))
    async with ticking(0.01, tick, what="test", lease=leases_of(road, "one", 1.0).of("clock")):
        await eventually(lambda: begun == [0])
        await bucket.put("clock", b"somebody else, for a moment")
        await eventually(lambda: ended == [0])
        await bucket.delete("clock")
        await eventually(lambda: begun == [0, 1])
