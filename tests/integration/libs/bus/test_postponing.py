"""Postponements on a real server: the message waits, no attempt is burnt, nothing is left behind."""

import asyncio
from collections.abc import Sequence

import pytest
from nats.js.errors import NoKeysError

from contracts.base import Event
from contracts.observations import ObservationFinished, ObservationStarted
from contracts.subjects import attempts_bucket
from libs.bus.bus import DeliveryOf
from libs.errors import Postponed, Retriable
from tests.integration.libs.bus.test_bus import finished, listening, started
from tests.support.road import Road

pytestmark = pytest.mark.integration


def postponed(delay_s: float = 0.05) -> Postponed:
    return Postponed("breaker_open", "the archive does not answer", "It is tried again.", delay_s=delay_s)


async def noted(road: Road) -> list[str]:
    """The keys that stand in the bucket."""
    bucket = await road.client(road.telescope).jetstream().key_value(attempts_bucket(road.telescope.site))
    try:
        return await bucket.keys()
    except NoKeysError:
        return []


async def test_a_postponed_message_comes_again_and_burns_no_attempt(road: Road) -> None:
    """More often than the subscription allows attempts (3), and then a failure that does count."""
    attempts: list[int] = []

    async def handle(event: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        attempts.append(delivery.attempt)
        if len(attempts) <= 6:
            raise postponed()
        if len(attempts) == 7:
            raise Retriable("disk_full", "the disk is full", "Make room.")
        return [finished(event)]

    async with listening(road, handle):
        await road.publisher(road.telescope).publish([started()])
        await road.wait_for(road.telescope, ObservationFinished)
        await road.eventually(lambda: _nothing_noted(road), what="the note's end")
    assert attempts == [1, 1, 1, 1, 1, 1, 1, 2]
    assert await road.letters(road.telescope) == []


async def _nothing_noted(road: Road) -> bool:
    return await noted(road) == []


async def test_a_dead_letter_tells_the_attempts_that_counted(road: Road) -> None:
    calls = 0

    async def handle(_: ObservationStarted) -> Sequence[Event]:
        nonlocal calls
        calls += 1
        if calls <= 4:
            raise postponed()
        raise Retriable("disk_full", "the disk is full", "Make room.")

    async def buried() -> bool:
        return len(await road.letters(road.telescope)) == 1

    async with listening(road, handle):
        await road.publisher(road.telescope).publish([started()])
        await road.eventually(buried, what="a dead letter")
        await road.eventually(lambda: _nothing_noted(road), what="the note's end")
    (letter,) = await road.letters(road.telescope)
    assert (letter["chasqui-dead-attempts"], calls) == ("3", 7)


async def test_it_waits_for_the_delay_it_was_given(road: Road) -> None:

    loop = asyncio.get_running_loop()
    times: list[float] = []

    async def handle(event: ObservationStarted) -> Sequence[Event]:
        times.append(loop.time())
        if len(times) == 1:
            raise postponed(1.0)
        return [finished(event)]

    async with listening(road, handle):
        await road.publisher(road.telescope).publish([started()])
        await road.wait_for(road.telescope, ObservationFinished)
    assert times[1] - times[0] >= 0.99


async def test_without_the_bucket_a_postponement_counts_and_nothing_is_lost(road: Road) -> None:
    attempts: list[int] = []

    async def handle(event: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        attempts.append(delivery.attempt)
        if len(attempts) <= 2:
            raise postponed()
        return [finished(event)]

    await road.client(road.telescope).jetstream().delete_key_value(attempts_bucket(road.telescope.site))
    async with listening(road, handle):
        await road.publisher(road.telescope).publish([started()])
        await road.wait_for(road.telescope, ObservationFinished)
    assert attempts == [1, 2, 3]
