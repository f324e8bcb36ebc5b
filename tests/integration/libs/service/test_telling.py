"""Progress reports to a real NATS server, and work that ends while one of them is on its way."""

import asyncio

import pytest

from contracts.subjects import progress_bucket
from libs.bus.buckets import read_bucket
from libs.service.telling import telling
from tests.support.road import Road

pytestmark = pytest.mark.integration

EVERY_S = 0.01


async def test_no_work_is_held_up_by_its_report(road: Road) -> None:
    client, site = road.client(road.telescope), road.telescope.site

    async def work(number: int) -> None:
        async with telling(client, site, f"w.{number}", {"work": "archive"}, every_s=EVERY_S) as board:
            board.show(done=number)
            await asyncio.sleep(EVERY_S + number * 0.0001)

    for number in range(60):
        working = asyncio.create_task(work(number))
        await asyncio.wait([working], timeout=30)
        assert working.done(), f"work {number} did not end"
        await working
    told = await read_bucket(client, progress_bucket(site))
    assert told
    assert all(facts["ended"] for facts in told.values())
