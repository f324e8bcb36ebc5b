"""Events of the log, sent again on a real server: chosen by time, place, type and value; handled as the originals."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.base import Event
from contracts.letters import LetterBuried, LetterSettled
from contracts.observations import ObservationFinished, ObservationStarted
from contracts.subjects import events_stream, replay_stream
from libs.bus.bus import DeliveryOf
from libs.bus.delivery import Delivery
from libs.bus.letter_deciding import Decisions
from libs.bus.letter_reading import read_letters
from libs.bus.replaying import Again, Bound, Match, Sender, Span, chosen
from libs.bus.subscription import Subscription
from libs.errors import Permanent
from tests.integration.libs.bus.test_bus import finished, listening, pending, started
from tests.support.letters import forgetful, forgotten
from tests.support.road import Road

pytestmark = pytest.mark.integration
LISTEN = Subscription("tester", "listen", (ObservationStarted,), ack_wait_s=2.0)
EVERYTHING = Span(Bound(), Bound())


async def meant(road: Road, span: Span = EVERYTHING, match: Match | None = None) -> list[Again]:
    client, stream = road.client(road.telescope), events_stream(road.telescope.site)
    return [again async for again in chosen(client, {stream: [LISTEN]}, span, match or Match())]


def sender(road: Road, run: str) -> Sender:
    return Sender(road.client(road.telescope), site=road.telescope.site, by="a tester", run=run)


async def none_waits(road: Road) -> bool:
    info = await road.client(road.telescope).jetstream().stream_info(replay_stream(road.telescope.site))
    return info.state.messages == 0 and await pending(road, LISTEN) == 0


async def test_events_are_chosen_by_place_time_type_and_value(road: Road) -> None:
    stream = events_stream(road.telescope.site)
    one, other = started("camera"), started("guide")
    first = await road.publisher(road.telescope).publish([one])
    await road.publisher(road.telescope).publish([finished(one)])  # not heard by this handler
    last = await road.publisher(road.telescope).publish([other])
    places = [again.message.sequence for again in await meant(road)]
    assert places == [first, last]
    there = (await meant(road))[1].message.time

    async def found(span: Span = EVERYTHING, **match: object) -> list[int]:
        chosen_ones = await meant(road, span, Match(**match))  # type: ignore[arg-type]
        return [again.message.sequence for again in chosen_ones]

    assert await found(Span(Bound(stream=stream, sequence=last), Bound())) == [last]
    assert await found(Span(Bound(), Bound(stream=stream, sequence=first))) == [first]
    assert await found(Span(Bound(stream="EVENTS_elsewhere", sequence=1), Bound())) == []
    assert await found(Span(Bound(when=there), Bound())) == [last]
    assert await found(Span(Bound(), Bound(when=there))) == [first]
    assert await found(Span(Bound(when=datetime.now(UTC) + timedelta(hours=1)), Bound())) == []
    assert await found(type="observation.started") == [first, last]
    assert await found(type="observation.finished") == []
    assert await found(entity=str(one.executed_obs_unit_id)[:9]) == [first]
    assert await found(fields={"instrument": "guide"}) == [last]
    assert await found(fields={"conditions.pwv": "0.6", "instrument": "camera"}) == [first]
    assert await found(fields={"no.such": "x"}) == []


async def test_a_replay_is_handled_as_the_original_and_an_interrupted_run_sends_nothing_twice(
    road: Road,
) -> None:
    seen: list[Delivery] = []

    async def handle(event: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        seen.append(delivery)
        return [finished(event)]

    async with listening(road, handle, LISTEN):
        await road.publisher(road.telescope).publish([started(), started()])
        await road.eventually(lambda: none_waits(road), what="live work")
        again = await meant(road)
        assert await sender(road, "one").send(again[:1]) == 1
        assert await sender(road, "one").send(again) == 1
        await road.eventually(lambda: none_waits(road), what="the replay")
        assert await sender(road, "one").send(again) == 0
    assert len(seen) == 4
    live = sorted(seen[:2], key=lambda each: each.sequence)
    again_seen = sorted(seen[2:], key=lambda each: each.sequence)
    assert again_seen == [replace(each, replayed=True) for each in live]
    assert len(await road.events_of(road.telescope, ObservationFinished)) == 2


async def test_what_is_given_up_again_soon_after_its_letter_was_dropped_has_a_letter_again(
    road: Road,
) -> None:
    """The server remembers the letter that was there; the message must not be lost for that."""
    client, site = road.client(road.telescope), road.telescope.site

    async def handle(event: ObservationStarted) -> Sequence[Event]:
        raise Permanent("broken", f"{event.instrument} is broken", "Mend it.")

    async with listening(road, handle, LISTEN):
        await road.publisher(road.telescope).publish([started()])
        await road.wait_for(road.telescope, LetterBuried)
        await road.eventually(lambda: none_waits(road), what="the burial")
        for burial in (1, 2):
            (letter,) = await read_letters(client, site)
            assert letter.burial == burial
            await Decisions(client, site, by="a tester").drop(letter, "it was taken again")
            await sender(road, f"run-{burial}").send(await meant(road))
            await road.eventually(lambda: none_waits(road), what="the next burial")
    (letter,) = await read_letters(client, site)
    assert letter.burial == 3
    assert [event.burial for event in await road.events_of(road.telescope, LetterBuried)] == [1, 2, 3]


async def test_a_dead_letter_that_a_replay_handles_well_is_settled(road: Road) -> None:
    broken = True

    async def handle(event: ObservationStarted) -> Sequence[Event]:
        if broken:
            raise Permanent("broken", "it is broken", "Mend it.")
        return [finished(event)]

    async with listening(road, handle, LISTEN):
        await road.publisher(road.telescope).publish([started()])
        await road.wait_for(road.telescope, LetterBuried)
        await road.eventually(lambda: none_waits(road), what="the burial")
        broken = False
        await sender(road, "one").send(await meant(road))
        await road.wait_for(road.telescope, LetterSettled)
        await road.eventually(lambda: none_waits(road), what="the replay")
    assert await read_letters(road.client(road.telescope), road.telescope.site) == []


async def test_burials_are_counted_however_long_ago_the_last_letter_was_dropped(road: Road) -> None:
    client, site = road.client(road.telescope), road.telescope.site
    await forgetful(client, site)

    async def handle(event: ObservationStarted) -> Sequence[Event]:
        raise Permanent("broken", f"{event.instrument} is broken", "Mend it.")

    async with listening(road, handle, LISTEN):
        await road.publisher(road.telescope).publish([started()])
        await road.wait_for(road.telescope, LetterBuried)
        await road.eventually(lambda: none_waits(road), what="the burial")
        for burial in (1, 2):
            (letter,) = await read_letters(client, site)
            await Decisions(client, site, by="a tester").drop(letter, "it was taken again")
            await forgotten()
            await sender(road, f"run-{burial}").send(await meant(road))
            await road.eventually(lambda: none_waits(road), what="the next burial")
    (letter,) = await read_letters(client, site)
    assert letter.burial == 3
    said = {envelope.id for envelope, event in await road.events(road.telescope) if event.entity == "letter"}
    assert len(said) == 5

    async def known() -> bool:
        rows = await road.query(road.telescope, "SELECT state, burials FROM dead_letter")
        return [tuple(row) for row in rows] == [("buried", 3)]

    async with road.running(road.telescope, "projector"):
        await road.eventually(known, what="the letter in the ops-db")


async def test_the_message_of_an_earlier_retry_is_not_taken_for_the_one_of_a_later(road: Road) -> None:
    """The server remembers what was sent again for a day: a letter must not go for a message that it did not store."""
    broken, client, site = True, road.client(road.telescope), road.telescope.site
    await forgetful(client, site)

    async def handle(event: ObservationStarted) -> Sequence[Event]:
        if broken:
            raise Permanent("broken", "it is broken", "Mend it.")
        return [finished(event)]

    async def retried(*, settled: int) -> None:
        nonlocal broken
        (letter,) = await read_letters(client, site)
        broken = False
        await Decisions(client, site, by="a tester").retry(letter)
        await road.eventually(lambda: none_waits(road), what="the retry")
        assert len(await road.events_of(road.telescope, LetterSettled)) == settled
        broken = True

    async with listening(road, handle, LISTEN):
        await road.publisher(road.telescope).publish([started()])
        await road.wait_for(road.telescope, LetterBuried)
        await road.eventually(lambda: none_waits(road), what="the burial")
        await retried(settled=1)
        await forgotten()
        await sender(road, "again").send(await meant(road))
        await road.eventually(lambda: none_waits(road), what="the second burial")
        await retried(settled=2)
    assert await read_letters(client, site) == []
    assert len(await road.events_of(road.telescope, ObservationFinished)) == 2
