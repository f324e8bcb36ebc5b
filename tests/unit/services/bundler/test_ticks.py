"""The bundler's clock."""

import asyncio

import pytest

from libs.errors import Retriable
from services.bundler.ticking import LONGEST_S, SHORTEST_S, period, ticking


def test_looks_often_enough_for_the_shortest_wait() -> None:
    assert period(0) == SHORTEST_S
    assert period(20) == 2
    assert period(86_400) == LONGEST_S


async def test_goes_on_after_a_passing_failure_and_stops_with_its_block() -> None:
    calls = 0
    third = asyncio.Event()

    async def action() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            third.set()
        raise Retriable("projection_lags", "not yet", "Wait.")

    async with ticking(0.001, action):
        await asyncio.wait_for(third.wait(), 5)
    seen = calls
    await asyncio.sleep(0.02)
    assert calls == seen


async def test_an_unplanned_error_ends_the_service() -> None:
    async def action() -> None:
        raise KeyError("a defect")

    with pytest.raises(KeyError, match="a defect"):
        async with ticking(0.001, action):
            await asyncio.sleep(5)
