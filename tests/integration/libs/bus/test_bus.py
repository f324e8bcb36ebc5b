"""The bus on a real server: publish before acknowledge, redelivery, dead letters, guards, duplicates."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.security import SASLPlaintext
from nats.js.api import ConsumerConfig

from contracts.base import Event
from contracts.observations import ObservationFinished, ObservationStarted, Outcome
from contracts.subjects import events_stream
from libs.bus.bus import Bus, DeliveryOf, Handler
from libs.bus.provision import provision_consumers
from libs.bus.publishing import SequenceConflict
from libs.bus.subscription import Subscription
from libs.bus.verdicts import GivingUp, nothing_said
from libs.errors import Permanent, Retriable
from tests.support.road import Road

pytestmark = pytest.mark.integration
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LISTEN = Subscription("tester", "listen", (ObservationStarted,), ack_wait_s=1.5, max_attempts=3)


def started(instrument: str = "camera", unit: UUID | None = None) -> ObservationStarted:
    return ObservationStarted(
        executed_obs_unit_id=unit or uuid4(), instrument=instrument, start_time=NOW, conditions={"pwv": 0.6}
    )


def finished(event: ObservationStarted) -> ObservationFinished:
    return ObservationFinished(
        executed_obs_unit_id=event.executed_obs_unit_id,
        instrument=event.instrument,
        end_time=NOW,
        outcome=Outcome.COMPLETED,
        file_count=1,
    )


@asynccontextmanager
async def listening(
    road: Road,
    handler: Handler,
    subscription: Subscription = LISTEN,
    graceful_s: float = 2.0,
    given_up: GivingUp = nothing_said,
) -> AsyncIterator[Bus]:
    place = road.telescope
    await provision_consumers(
        road.client(place), site=place.site, origins=[place.site], subscriptions=[subscription]
    )
    bus = Bus(
        place.bus_address(), site=place.site, sites=(place.site,), service="tester", graceful_s=graceful_s
    )
    bus.subscribe(subscription, handler, given_up=given_up)
    await bus.connect()
    await bus.prepare()
    await bus.broker.start()
    try:
        yield bus
    finally:
        await bus.broker.stop()
        await bus.close()


async def pending(road: Road, subscription: Subscription = LISTEN) -> int:
    info = (
        await road.client(road.telescope)
        .jetstream()
        .consumer_info(events_stream(road.telescope.site), subscription.durable(road.telescope.site))
    )
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


async def test_what_a_handler_returns_is_stored_and_the_input_acknowledged(road: Road) -> None:
    async def handle(event: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        assert delivery.attempt == 1
        return [finished(event)]

    event = started()
    async with listening(road, handle):
        await road.publisher(road.telescope).publish([event])
        (answer,) = await road.wait_for(road.telescope, ObservationFinished)
        await road.eventually(lambda: _is_zero(road), what="the input's acknowledgement")
    assert answer.executed_obs_unit_id == event.executed_obs_unit_id
    envelopes = [envelope for envelope, _ in await road.events(road.telescope)]
    assert envelopes[-1].causation_id == str(envelopes[-2].id)
    assert (
        envelopes[-1].traceparent is None
        or envelopes[-2].traceparent is None
        or (envelopes[-1].traceparent.split("-")[1] == envelopes[-2].traceparent.split("-")[1])
    )


async def _is_zero(road: Road) -> bool:
    return await pending(road) == 0


async def test_an_input_is_not_acknowledged_before_its_events_are_stored(road: Road) -> None:
    """The stream refuses the answer (too large): the input must end among the dead letters, not vanish."""

    async def handle(event: ObservationStarted) -> Sequence[Event]:
        return [event.model_copy(update={"executed_obs_unit_id": uuid4(), "obs_mode": "x" * 9_000_000})]

    async with listening(road, handle):
        await road.publisher(road.telescope).publish([started()])
        await road.eventually(lambda: _has_letters(road, 1), what="a dead letter")
    (letter,) = await road.letters(road.telescope)
    assert "event_too_large" in letter["chasqui-dead-problem"]


async def _has_letters(road: Road, count: int) -> bool:
    return len(await road.letters(road.telescope)) == count


async def test_a_retriable_failure_comes_again_and_then_succeeds(road: Road) -> None:
    attempts: list[int] = []

    async def handle(event: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        attempts.append(delivery.attempt)
        if delivery.attempt < 3:
            raise Retriable("disk_full", "the disk is full", "Make room.")
        return [finished(event)]

    async with listening(road, handle):
        await road.publisher(road.telescope).publish([started()])
        await road.wait_for(road.telescope, ObservationFinished)
    assert attempts == [1, 2, 3]
    assert await road.letters(road.telescope) == []


async def test_a_failure_that_stays_ends_among_the_dead_letters(road: Road) -> None:
    async def handle(_: ObservationStarted) -> Sequence[Event]:
        raise ValueError("nobody thought of this")

    async with listening(road, handle):
        await road.publisher(road.telescope).publish([started()])
        await road.eventually(lambda: _has_letters(road, 1), what="a dead letter")
        await road.eventually(lambda: _is_zero(road), what="the input settled")
    (letter,) = await road.letters(road.telescope)
    assert letter["chasqui-dead-attempts"] == "3"
    assert "nobody thought of this" in letter["chasqui-dead-problem"]


@pytest.mark.parametrize(
    ("fact", "body", "code"),
    [
        ("started.v1", b"{no json", "not_json"),
        ("started.v1", b"[]", "invalid_event"),
        ("started.v1", b'{"schema_version": 1}', "invalid_event"),
        ("started.v99", b"{}", "unknown_version"),
    ],
)
async def test_a_message_nobody_can_read_is_kept_and_holds_nobody_up(
    road: Road, fact: str, body: bytes, code: str
) -> None:
    seen: list[str] = []

    async def handle(event: ObservationStarted) -> Sequence[Event]:
        seen.append(event.instrument)
        return ()

    site = road.telescope.site
    good = started("after")
    headers = {
        "ce-source": f"/chasqui/{site}/x",
        "ce-id": str(uuid4()),
        "ce-type": "t",
        "ce-time": NOW.isoformat(),
    }
    async with listening(road, handle):
        js = road.client(road.telescope).jetstream()
        await js.publish(f"chasqui.{site}.observation.{fact}", body, headers=headers)
        await road.publisher(road.telescope).publish([good])
        await road.eventually(lambda: seen == ["after"], what="the good message")
    (letter,) = await road.letters(road.telescope)
    assert f'"code": "{code}"' in letter["chasqui-dead-problem"]
    stored = await js.get_msg(f"DEAD_{site}", 1, direct=True)
    assert stored.data == body


async def test_a_permanent_failure_is_not_tried_again(road: Road) -> None:
    calls: list[int] = []

    async def handle(_: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        calls.append(delivery.attempt)
        raise Permanent("broken", "it is broken", "Mend it.")

    async with listening(road, handle):
        await road.publisher(road.telescope).publish([started()])
        await road.eventually(lambda: _has_letters(road, 1), what="a dead letter")
        await asyncio.sleep(0.5)
    assert calls == [1]


async def test_a_long_handler_keeps_its_claim(road: Road) -> None:
    """It works three times as long as the acknowledgement deadline, and is not handed out again."""
    calls: list[int] = []

    async def handle(event: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        calls.append(delivery.attempt)
        await asyncio.sleep(LISTEN.ack_wait_s * 3)
        return [finished(event)]

    async with listening(road, handle):
        await road.publisher(road.telescope).publish([started()])
        await road.wait_for(road.telescope, ObservationFinished)
    assert calls == [1]


async def test_a_stop_hands_back_what_it_cannot_finish(road: Road) -> None:
    begun = asyncio.Event()

    async def never(_: ObservationStarted) -> Sequence[Event]:
        begun.set()
        await asyncio.sleep(60)
        return ()

    async def handle(event: ObservationStarted) -> Sequence[Event]:
        return [finished(event)]

    async with listening(road, never, graceful_s=0.2):
        await road.publisher(road.telescope).publish([started()])
        await begun.wait()
    async with listening(road, handle):
        await road.wait_for(road.telescope, ObservationFinished, within_s=5)


async def test_the_same_event_twice_is_stored_once(road: Road) -> None:
    event = started()
    publisher = road.publisher(road.telescope)
    first = await publisher.publish([event])
    assert await publisher.publish([event]) == first
    assert len(await road.events_of(road.telescope, ObservationStarted)) == 1


async def test_of_two_guarded_decisions_one_must_be_made_again(road: Road) -> None:
    publisher, site = road.publisher(road.telescope), road.telescope.site
    guarded = f"chasqui.{site}.observation.>"
    last = await publisher.publish_guarded(started(), guarded=guarded, last_sequence=0)
    with pytest.raises(SequenceConflict):
        await publisher.publish_guarded(started(), guarded=guarded, last_sequence=0)
    assert await publisher.publish_guarded(started(), guarded=guarded, last_sequence=last) > last


async def test_the_framework_default_would_throw_a_failing_message_away(road: Road) -> None:
    """Why every subscriber here is made by `Bus`: with FastStream's default the message below is gone."""
    place = road.telescope
    loses = Subscription("tester", "loses", (ObservationStarted,))
    await provision_consumers(
        road.client(place), site=place.site, origins=[place.site], subscriptions=[loses]
    )
    address = place.bus_address()
    broker = NatsBroker(
        address.url, security=SASLPlaintext(username=address.user, password=address.password), logger=None
    )
    calls: list[int] = []

    @broker.subscriber(
        stream=JStream(events_stream(place.site), declare=False),
        durable=loses.durable(place.site),
        config=ConsumerConfig(filter_subjects=loses.filters(place.site)),
        pull_sub=PullSub(batch_size=1, timeout=1.0),
    )
    async def fail(_: bytes) -> None:
        calls.append(1)
        raise ValueError("thrown away")

    await broker.start()
    await road.publisher(place).publish([started()])
    await road.eventually(lambda: calls, what="the delivery")
    await asyncio.sleep(0.3)
    await broker.stop()
    assert await pending(road, loses) == 0


async def test_every_subscriber_settles_by_hand(road: Road) -> None:
    async def handle(_: ObservationStarted) -> Sequence[Event]:
        return ()

    async with listening(road, handle) as bus:
        policies = {subscriber.ack_policy for subscriber in bus.broker.subscribers}
    assert policies == {AckPolicy.MANUAL}
