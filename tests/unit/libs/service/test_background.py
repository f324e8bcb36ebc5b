"""Background work: it ends with its block, and its failure ends the block."""

import asyncio

import pytest

from libs.service.background import background


async def test_a_failure_ends_the_block() -> None:
    async def fail() -> None:
        raise KeyError("a defect")

    with pytest.raises(ExceptionGroup) as caught:
        async with background(fail()):
            await asyncio.sleep(5)
    assert caught.group_contains(KeyError)


async def test_a_lost_cancellation_is_said_again() -> None:
    heard = 0

    async def deaf() -> None:
        nonlocal heard
        while heard < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                heard += 1

    async with background(deaf()):
        await asyncio.sleep(0)
    assert heard == 2
