"""Breakers that several instances share, on a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import Context
from dataclasses import dataclass, field

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import KeyValueConfig

from contracts.subjects import breaker_bucket
from libs.breakers.circuit import Circuit, CircuitState, Pauses
from libs.breakers.resources import archive, disk
from libs.breakers.shared import Breakers, close, standing
from libs.errors import Permanent, Postponed, Retriable
from tests.support.servers import TestServers

pytestmark = pytest.mark.integration

ARCHIVE, BUFFER = archive("the-archive"), disk("the-buffer")
PAUSES = Pauses(threshold=3, first_s=5.0, longest_s=60.0, probe_s=15.0)


@dataclass
class Clock:
    """Seconds that go forward when told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Site:
    """A bucket and the instances that share it."""

    client: Client
    name: str
    clock: Clock = field(default_factory=Clock)

    def instance(self, who: str) -> Breakers:
        return Breakers(self.client, site=self.name, who=who, pauses=PAUSES, monotonic=self.clock)

    async def record(self, key: str = ARCHIVE.key) -> Circuit:
        return (await standing(self.client, self.name)).get(key, Circuit())


@pytest.fixture
async def site(servers: TestServers, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    client = await nats.connect(servers.nats_url, user=servers.nats_user, password=servers.nats_password)
    name = f"breakers-{abs(hash(request.node.nodeid))}"
    await client.jetstream().create_key_value(KeyValueConfig(bucket=breaker_bucket(name)))
    yield Site(client, name)
    await client.jetstream().delete_key_value(breaker_bucket(name))
    await client.close()


def away(code: str = "s3_unreachable") -> Retriable:
    return Retriable(code, "the archive is away", "Wait.")


async def fails(breakers: Breakers, error: Exception) -> None:
    with pytest.raises(type(error)):
        async with breakers.using(ARCHIVE):
            raise error


async def works(breakers: Breakers) -> None:
    async with breakers.using(ARCHIVE):
        pass


async def opened(site: Site, breakers: Breakers) -> None:
    for _ in range(PAUSES.threshold):
        await fails(breakers, away())
    assert (await site.record()).state is CircuitState.OPEN


async def test_failures_in_a_row_open_it_for_all_instances(site: Site) -> None:
    one, other = site.instance("one"), site.instance("other")
    await works(other)
    site.clock.now += 2.0
    await fails(one, away())
    await fails(one, away())
    await works(one)
    await fails(one, away())
    await fails(one, away())
    assert (await site.record()).state is CircuitState.CLOSED
    await fails(one, away())
    record = await site.record()
    assert (record.state, record.trips) == (CircuitState.OPEN, 1)
    assert record.problem is not None
    assert record.problem.code == "s3_unreachable"
    with pytest.raises(Postponed) as told:
        await works(other)
    assert 0.0 < told.value.delay_s <= 5.0
    assert "the archive is away" in told.value.problem.reason


async def test_faults_of_something_else_do_not_open_it(site: Site) -> None:
    breakers = site.instance("one")
    for error in (away("disk_full"), Permanent("checksum_mismatch", "rotten", "Send again."), ValueError()):
        for _ in range(PAUSES.threshold):
            await fails(breakers, error)
    assert await standing(site.client, site.name) == {}


async def test_after_the_pause_one_instance_tries_for_all(site: Site) -> None:
    one, other = site.instance("one"), site.instance("other")
    await opened(site, one)
    with pytest.raises(Postponed):
        await works(other)
    site.clock.now += 5.0
    async with one.using(ARCHIVE):
        assert (await site.record()).state is CircuitState.HALF_OPEN
        with pytest.raises(Postponed):
            await works(other)
        with pytest.raises(Postponed):
            await asyncio.create_task(works(one), context=Context())  # its other work
    assert (await site.record()).state is CircuitState.CLOSED
    await works(other)


async def works_after(event: asyncio.Event, breakers: Breakers) -> None:
    await event.wait()
    await works(breakers)


async def test_a_use_within_a_use_waits_for_no_try_but_that(site: Site) -> None:
    one, other = site.instance("one"), site.instance("other")
    await opened(site, one)
    site.clock.now += 5.0
    async with one.using(ARCHIVE):
        await works(one)
        await asyncio.create_task(works(one))
        assert (await site.record()).state is CircuitState.HALF_OPEN, "it is judged by the whole"
        with pytest.raises(Postponed):
            await works(other)
        go_on = asyncio.Event()
        left_behind = asyncio.create_task(works_after(go_on, one))
    assert (await site.record()).state is CircuitState.CLOSED
    await opened(site, one)
    go_on.set()
    with pytest.raises(Postponed):
        await left_behind  # it is part of that use no more


async def test_of_many_that_ask_at_once_one_probes(site: Site) -> None:
    instances = [site.instance(f"instance-{n}") for n in range(8)]
    await opened(site, instances[0])
    for each in instances:
        with pytest.raises(Postponed):
            await works(each)
    site.clock.now += 5.0
    trying = 0
    all_asked = asyncio.Barrier(len(instances))

    async def ask(breakers: Breakers) -> None:
        nonlocal trying
        try:
            async with breakers.using(ARCHIVE):
                trying += 1
                await all_asked.wait()
        except Postponed:
            await all_asked.wait()

    await asyncio.gather(*(ask(each) for each in instances))
    assert trying == 1


async def test_a_failed_probe_opens_it_for_longer(site: Site) -> None:
    one, other = site.instance("one"), site.instance("other")
    await opened(site, one)
    site.clock.now += 5.0
    await fails(one, away())
    record = await site.record()
    assert (record.state, record.trips, record.pause_s) == (CircuitState.OPEN, 2, 10.0)
    with pytest.raises(Postponed):
        await works(other)


async def test_a_probe_that_died_is_taken_over_and_does_not_come_back(site: Site) -> None:
    dead, other = site.instance("dead"), site.instance("other")
    await opened(site, dead)
    site.clock.now += 5.0
    probe = dead.using(ARCHIVE)
    await probe.__aenter__()
    with pytest.raises(Postponed):
        await works(other)
    site.clock.now += PAUSES.probe_s
    async with other.using(ARCHIVE):
        # The paused probe wakes up: what it says is no longer wanted.
        await probe.__aexit__(None, None, None)
        record = await site.record()
        assert (record.state, record.probe) == (CircuitState.HALF_OPEN, "other")
    assert (await site.record()).state is CircuitState.CLOSED


async def test_a_probe_that_moves_bytes_lets_the_others_go_on(site: Site) -> None:
    pauses = Pauses(threshold=1, first_s=0.01, probe_s=0.3)
    one = Breakers(site.client, site=site.name, who="one", pauses=pauses)
    other = Breakers(site.client, site=site.name, who="other", pauses=pauses)
    await fails(one, away())
    await asyncio.sleep(0.05)
    async with one.using(ARCHIVE) as use:
        assert (await site.record()).state is CircuitState.HALF_OPEN
        use.works()
        for _ in range(1000):
            if (await site.record()).state is CircuitState.CLOSED:
                break
            await asyncio.sleep(0.02)
        await works(other)


async def test_a_long_probe_keeps_its_place(site: Site) -> None:
    pauses = Pauses(threshold=1, first_s=0.01, probe_s=1.5)
    one = Breakers(site.client, site=site.name, who="one", pauses=pauses)
    other = Breakers(site.client, site=site.name, who="other", pauses=pauses)
    await fails(one, away())
    await asyncio.sleep(0.05)
    async with one.using(ARCHIVE):
        ends = asyncio.get_running_loop().time() + 3.5
        while asyncio.get_running_loop().time() < ends:
            with pytest.raises(Postponed):
                await works(other)
            await asyncio.sleep(0.1)


async def test_a_cancelled_probe_leaves_the_place_to_others(site: Site) -> None:
    one, other = site.instance("one"), site.instance("other")
    await opened(site, one)
    site.clock.now += 5.0
    begun = asyncio.Event()

    async def probe() -> None:
        async with one.using(ARCHIVE):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(probe())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await works(other)
    assert (await site.record()).state is CircuitState.CLOSED


async def test_one_open_breaker_of_several_postpones_and_harms_no_other(site: Site) -> None:
    breakers = site.instance("one")
    await opened(site, breakers)
    with pytest.raises(Postponed):
        async with breakers.using(BUFFER, ARCHIVE):
            pytest.fail("the archive's breaker is open")
    async with breakers.using(BUFFER):
        pass
    assert list(await standing(site.client, site.name)) == [ARCHIVE.key]


async def test_an_operator_closes_it(site: Site) -> None:
    one, other = site.instance("one"), site.instance("other")
    await opened(site, one)
    assert await close(site.client, site.name, ARCHIVE.key)
    assert not await close(site.client, site.name, ARCHIVE.key)
    assert not await close(site.client, site.name, "location.unknown")
    await works(other)
    await works(one)


async def test_a_lost_bucket_closes_everything(site: Site) -> None:
    breakers = site.instance("one")
    await opened(site, breakers)
    js = site.client.jetstream()
    await js.delete_key_value(breaker_bucket(site.name))
    await js.create_key_value(KeyValueConfig(bucket=breaker_bucket(site.name)))
    await works(breakers)
