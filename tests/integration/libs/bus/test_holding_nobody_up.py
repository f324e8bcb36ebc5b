"""One bad item never holds up the others: 1 among 1,000, of every kind, and more waiting ones than any old limit."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from contracts.base import Event
from contracts.letters import LetterBuried
from contracts.observations import ObservationStarted
from contracts.states import FailureKind
from contracts.subjects import events_stream
from libs.bus.bus import DeliveryOf
from libs.bus.letter_reading import read_letters
from libs.bus.provision import MOST_PENDING, consumer, provision_consumers
from libs.bus.subscription import Subscription
from libs.errors import Permanent, Postponed, Retriable
from tests.integration.libs.bus.test_bus import listening, pending
from tests.support.road import Road

pytestmark = pytest.mark.integration
COUNT = 1000
WITHIN_S = 120.0
LISTEN = Subscription("tester", "listen", (ObservationStarted,), max_attempts=4)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
OLD_LIMIT = 1024


def started() -> ObservationStarted:
    return ObservationStarted(executed_obs_unit_id=uuid4(), instrument="camera", start_time=NOW)


async def publish_poison(road: Road) -> None:
    subject = ObservationStarted.subject(road.telescope.site)
    await road.client(road.telescope).jetstream().publish(subject, b"{no json")


@pytest.mark.parametrize(
    ("failure", "attempts"),
    [
        (FailureKind.POISON, 0),
        pytest.param(FailureKind.PERMANENT, 1, marks=pytest.mark.long),
        (FailureKind.EXHAUSTED, 4),
    ],
)
async def test_one_bad_message_among_a_thousand(road: Road, failure: FailureKind, attempts: int) -> None:
    """The slow one takes a while for each of its failures; it waits between them, the others do not."""
    events = [started() for _ in range(COUNT - 1)]
    bad = started()
    handled: list[UUID] = []
    tried = 0

    async def handle(event: ObservationStarted) -> Sequence[Event]:
        nonlocal tried
        if event.executed_obs_unit_id != bad.executed_obs_unit_id:
            handled.append(event.executed_obs_unit_id)
            return ()
        tried += 1
        if failure is FailureKind.PERMANENT:
            raise Permanent("broken", "it is broken", "Mend it.")
        await asyncio.sleep(0.3)
        raise Retriable("disk_full", "the disk is full", "Make room.")

    publisher = road.publisher(road.telescope)
    await publisher.publish(events[: COUNT // 2])
    if failure is FailureKind.POISON:
        await publish_poison(road)
    else:
        await publisher.publish([bad])
    await publisher.publish(events[COUNT // 2 :])
    async with listening(road, handle, LISTEN):
        await road.eventually(lambda: len(handled) >= COUNT - 1, within_s=WITHIN_S, what="the good ones")
        await road.eventually(lambda: _none_left(road), within_s=WITHIN_S, what="the end of the bad one")
    assert sorted(handled) == sorted(event.executed_obs_unit_id for event in events)
    (letter,) = await read_letters(road.client(road.telescope), road.telescope.site)
    assert letter.failure is failure
    assert tried == attempts
    assert await said_of_letters(road) == 1


async def said_of_letters(road: Road) -> int:
    subject = LetterBuried.subject(road.telescope.site)
    stream = events_stream(road.telescope.site)
    info = await road.client(road.telescope).jetstream().stream_info(stream, subjects_filter=subject)
    return (info.state.subjects or {}).get(subject, 0)


async def _none_left(road: Road) -> bool:
    return await pending(road, LISTEN) == 0


async def test_more_waiting_messages_than_the_old_limit_let_the_next_one_pass(road: Road) -> None:
    """All of one dead location wait for an hour; a message for another one, published after them, is handled."""
    dead = [started() for _ in range(OLD_LIMIT + 50)]
    alive = started()
    handled, postponed = asyncio.Event(), 0

    async def handle(event: ObservationStarted) -> Sequence[Event]:
        nonlocal postponed
        if event == alive:
            handled.set()
            return ()
        postponed += 1
        raise Postponed("breaker_open", "the archive does not answer", "It is tried again.", delay_s=3600)

    await road.publisher(road.telescope).publish(dead)
    await road.publisher(road.telescope).publish([alive])
    async with listening(road, handle, LISTEN):
        await road.eventually(handled.is_set, within_s=WITHIN_S, what="the message behind them")
    assert postponed == len(dead)


async def test_a_consumer_of_an_earlier_version_is_brought_up_to_date_in_place(road: Road) -> None:
    """Its position survives: what was handled is not handled again."""
    place = road.telescope
    js, stream = road.client(place).jetstream(), events_stream(place.site)
    source = LISTEN.sources(place.site, (place.site,))[0]
    old = consumer(LISTEN, place.site, source).evolve(max_ack_pending=OLD_LIMIT, ack_wait=30.0)
    await js.add_consumer(stream, config=old)
    first, second = started(), started()
    seen: list[ObservationStarted] = []

    async def handle(event: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        assert delivery.attempt == 1
        seen.append(event)
        return ()

    async def hear(event: ObservationStarted) -> None:
        await road.publisher(place).publish([event])
        async with listening(road, handle, LISTEN):
            await road.eventually(lambda: event in seen, what="the event")
            await road.eventually(lambda: _none_left(road), what="its acknowledgement")

    await hear(first)
    config = (await js.consumer_info(stream, LISTEN.durable(place.site))).config
    assert (config.max_ack_pending, config.ack_wait) == (MOST_PENDING, LISTEN.ack_wait_s)
    await provision_consumers(
        road.client(place), site=place.site, origins=[place.site], subscriptions=[LISTEN]
    )
    await hear(second)
    assert seen == [first, second]
