"""Background work: it ends with its block, and its failure ends the block."""

import asyncio

import pytest

from libs.errors import UserError
from libs.service.background import background


async def test_a_failure_ends_the_block() -> None:
    async def fail() -> None:
        raise KeyError("a defect")

    with pytest.raises(ExceptionGroup) as caught:
        async with background(fail()):
            await asyncio.sleep(5)
    assert caught.group_contains(KeyError)


async def test_what_the_block_raises_on_purpose_stays_what_it_is() -> None:
    ended = False

    async def work() -> None:
        nonlocal ended
        try:
            await asyncio.sleep(60)
        finally:
            ended = True

    async def block() -> None:
        async with background(work()):
            await asyncio.sleep(0)
            raise UserError("refused", "no", "Do otherwise.")

    with pytest.raises(UserError) as caught:
        await block()
    assert caught.value.problem.code == "refused"
    assert ended


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
