"""Work in the background that ends by a cancellation of its own does not leave a service that looks healthy."""

import asyncio
import inspect

import pytest

from libs.errors import Retriable
from libs.service.background import background


async def test_it_ends_the_block() -> None:
    async def overtaken_by_its_own_timeout() -> None:
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(10), background(overtaken_by_its_own_timeout()):
            await asyncio.Event().wait()
    [error] = caught.value.exceptions
    assert isinstance(error, Retriable)
    assert error.problem.code == "work_ended"


async def test_an_orderly_end_is_none() -> None:
    async with background(asyncio.Event().wait(), asyncio.sleep(60)):  # type: ignore[arg-type]  # what they return is nothing
        await asyncio.sleep(0)


async def test_an_error_of_the_block_before_its_first_step_leaves_nothing_unended() -> None:
    error = Retriable("any", "reason", "remedy")
    work = asyncio.sleep(60)
    with pytest.raises(Retriable) as raised:
        async with background(work):
            raise error
    assert raised.value is error
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED
