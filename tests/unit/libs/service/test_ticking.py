import asyncio

import pytest

from libs.bus.fencing import overtaken
from libs.errors import Retriable
from libs.service.ticking import ticking


async def test_it_ticks_at_once_and_again_until_the_block_ends() -> None:
    ticks: list[int] = []
    enough = asyncio.Event()

    async def tick() -> None:
        ticks.append(1)
        if len(ticks) == 3:
            enough.set()

    async with ticking(0.001, tick, what="test", lease=None):
        await asyncio.wait_for(enough.wait(), 5)
    count = len(ticks)
    await asyncio.sleep(0.02)
    assert len(ticks) == count


async def test_a_planned_failure_is_tried_again() -> None:
    done = asyncio.Event()
    failures = [Retriable("away", "it is away", "wait")]

    async def tick() -> None:
        if failures:
            raise failures.pop()
        done.set()

    async with ticking(0.001, tick, what="test", lease=None):
        await asyncio.wait_for(done.wait(), 5)


async def test_being_overtaken_is_no_defect() -> None:
    done = asyncio.Event()
    failures = [overtaken("a successor took the file away")]

    async def tick() -> None:
        if failures:
            raise failures.pop()
        done.set()

    async with ticking(0.001, tick, what="test", lease=None):
        await asyncio.wait_for(done.wait(), 5)


async def test_a_defect_ends_the_block() -> None:
    async def tick() -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as raised:
        async with ticking(0.001, tick, what="test", lease=None):
            await asyncio.sleep(5)
    assert raised.group_contains(ZeroDivisionError)


async def test_a_long_action_rests_longer() -> None:
    starts: list[float] = []
    loop = asyncio.get_running_loop()
    enough = asyncio.Event()

    async def tick() -> None:
        starts.append(loop.time())
        await asyncio.sleep(0.02)
        if len(starts) == 2:
            enough.set()

    async with ticking(0.001, tick, what="test", lease=None):
        await asyncio.wait_for(enough.wait(), 5)
    assert starts[1] - starts[0] >= 0.2
