"""A group of tasks leaves no cancellation behind that nobody asked for."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from libs.groups import TaskGroup


class Broken(Exception):
    """What a task of a group raises."""


async def breaks() -> None:
    await asyncio.sleep(0)
    raise Broken


def cancellations() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def group_of_one(task: Coroutine[Any, Any, None], block: Coroutine[Any, Any, object]) -> None:
    async with TaskGroup() as group:
        group.create_task(task)
        await block


async def test_a_failure_after_the_block_has_ended_is_taken_back() -> None:
    with pytest.raises(ExceptionGroup):
        await group_of_one(breaks(), asyncio.sleep(0))
    assert cancellations() == 0


async def test_a_failure_while_the_block_runs_is_taken_back_once() -> None:
    with pytest.raises(ExceptionGroup):
        await group_of_one(breaks(), asyncio.Event().wait())
    assert cancellations() == 0


async def test_a_timeout_while_the_failure_is_on_its_way_out_is_one() -> None:
    """As a lease's: see tests/unit/libs/bus/test_lease_and_failure.py."""

    async def late() -> None:
        async with asyncio.timeout(60) as limit:
            try:
                await group_of_one(breaks(), asyncio.sleep(0))
            finally:
                limit.reschedule(0.0)
                await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await late()


async def test_a_cancellation_from_outside_ends_the_group_and_its_task() -> None:
    ended = asyncio.Event()

    async def lasting() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(group_of_one(lasting(), asyncio.sleep(0)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert ended.is_set()


async def test_a_cancellation_from_outside_that_meets_a_failure_stays_counted() -> None:
    counted: list[int] = []

    async def breaks_at_its_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise Broken

    async def whole() -> None:
        try:
            await group_of_one(breaks_at_its_end(), asyncio.sleep(0))
        except* Broken:
            counted.append(cancellations())

    task = asyncio.create_task(whole())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert counted == [1]
