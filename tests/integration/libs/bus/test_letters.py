"""Dead letters on a real server: found, sent again with their history, dropped with a reason."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.base import Event
from contracts.letters import LetterBuried, LetterDropped, LetterRetried, LetterSettled
from contracts.observations import ObservationFinished, ObservationStarted
from contracts.states import FailureKind
from contracts.subjects import DEAD_ROOT, dead_stream, events_stream, replay, replay_stream
from libs.bus.bus import DeliveryOf
from libs.bus.delivery import Delivery
from libs.bus.letter_deciding import Decisions
from libs.bus.letter_reading import ANY, Sought, find_letter, read_letters
from libs.bus.letters import Letter
from libs.bus.subscription import Subscription
from libs.errors import Permanent, UserError
from tests.integration.libs.bus.test_bus import finished, listening, pending, started
from tests.support.road import Road

pytestmark = pytest.mark.integration
LISTEN = Subscription("tester", "listen", (ObservationStarted,), ack_wait_s=1.5, max_attempts=3)
BROKEN = Permanent("broken", "it is broken", "Mend it.")


class Mended:
    """A handler that fails for good until the world is mended."""

    def __init__(self) -> None:
        self.whole = False
        self.seen: list[Delivery] = []

    async def handle(self, event: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        self.seen.append(delivery)
        if not self.whole:
            raise BROKEN
        return [finished(event)]


def decisions(road: Road) -> Decisions:
    return Decisions(road.client(road.telescope), road.telescope.site, by="a tester")


async def letters(road: Road, sought: Sought = ANY) -> list[Letter]:
    return await read_letters(road.client(road.telescope), road.telescope.site, sought)


async def buried(road: Road, *events: ObservationStarted, burial: int = 1) -> list[Letter]:
    """Publish events whose handler fails, and wait for their letters."""
    if events:
        await road.publisher(road.telescope).publish(list(events))

    async def all_there() -> bool:
        found = await letters(road)
        settled = await pending(road, LISTEN) == 0 and await waiting(road) == 0
        return settled and bool(found) and all(letter.burial == burial for letter in found)

    await road.eventually(all_there, what="the letters")
    return await letters(road)


async def waiting(road: Road) -> int:
    """Messages that wait to be handled again."""
    info = await road.client(road.telescope).jetstream().stream_info(replay_stream(road.telescope.site))
    return int(info.state.messages)


async def said(road: Road) -> list[Event]:
    """What was said of letters."""
    return [event for _, event in await road.events(road.telescope) if event.entity == "letter"]


async def test_a_retry_is_handled_as_the_original_was(road: Road) -> None:
    handler, event = Mended(), started()
    async with listening(road, handler.handle, LISTEN):
        (letter,) = await buried(road, event)
        handler.whole = True
        await decisions(road).retry(letter)
        await road.wait_for(road.telescope, LetterSettled)
        await road.eventually(lambda: _none_waits(road), what="the end of the retry")
    first, again = handler.seen
    assert again == replace(first, burials=1, replayed=True)
    assert (again.stream, again.sequence) == (events_stream(road.telescope.site), letter.origin.sequence)
    assert await letters(road) == []
    *_, burial, retried, answer, settled = await road.events(road.telescope)
    assert isinstance(burial[1], LetterBuried)
    assert retried[1] == LetterRetried(letter_id=letter.id, burial=1, requested_by="a tester")
    assert answer[1] == finished(event)
    assert answer[0].causation_id == str(first.envelope.id)
    assert settled[1] == LetterSettled(letter_id=letter.id, burial=1)


async def _none_waits(road: Road) -> bool:
    return await waiting(road) == 0


async def test_a_retry_that_fails_is_buried_with_its_history(road: Road) -> None:
    handler = Mended()
    async with listening(road, handler.handle, LISTEN):
        (first,) = await buried(road, started())
        await decisions(road).retry(first)
        (second,) = await buried(road, burial=2)
        await decisions(road).retry(second)
        (third,) = await buried(road, burial=3)
    assert first.id == second.id == third.id
    assert [letter.attempts for letter in (first, second, third)] == [1, 2, 3]
    told = [(past.burial, past.attempts, past.retried_by) for past in third.origin.history]
    assert told == [(1, 1, "a tester"), (2, 2, "a tester")]
    assert [past.problem for past in third.origin.history] == [BROKEN.problem] * 2
    assert third.origin.history[0].buried_at == first.buried_at
    assert third.origin.headers == first.origin.headers
    assert [event.burial for event in await road.events_of(road.telescope, LetterBuried)] == [1, 2, 3]
    assert await road.events_of(road.telescope, LetterSettled) == []


class KilledError(Exception):
    """The command is no more."""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["_say", "_send", "_take_away"])
async def test_a_retry_that_was_killed_is_repeated_without_a_second_effect(
    road: Road, monkeypatch: pytest.MonkeyPatch, step: str, moment: str
) -> None:
    handler = Mended()
    async with listening(road, handler.handle, LISTEN):
        (letter,) = await buried(road, started())
        handler.whole = True
        with monkeypatch.context() as patched:
            patched.setattr(Decisions, step, _killed(getattr(Decisions, step), moment))
            with pytest.raises(KilledError):
                await decisions(road).retry(letter)
        if (step, moment) in {("_send", "after"), ("_take_away", "before"), ("_take_away", "after")}:
            await road.wait_for(road.telescope, LetterSettled)
        with suppress(UserError):  # the letter may be gone already
            await decisions(road).retry(await _by_name(road, letter))
        await road.wait_for(road.telescope, LetterSettled)
        await road.eventually(lambda: _none_waits(road), what="the end of the retry")
    assert len(handler.seen) == 2
    assert await letters(road) == []
    assert [type(event) for event in await said(road)] == [LetterBuried, LetterRetried, LetterSettled]


async def _by_name(road: Road, letter: Letter) -> Letter:
    return await find_letter(road.client(road.telescope), road.telescope.site, str(letter.id))


def _killed(real: Callable[..., object], moment: str) -> Callable[..., object]:
    async def step(*words: object) -> None:
        if moment == "after":
            await real(*words)  # type: ignore[misc]
        raise KilledError

    return step


async def test_of_two_who_retry_the_same_letter_one_has_an_effect(road: Road) -> None:
    handler = Mended()
    async with listening(road, handler.handle, LISTEN):
        (letter,) = await buried(road, started())
        handler.whole = True
        await decisions(road).retry(letter)
        await decisions(road).retry(letter)
        await road.wait_for(road.telescope, LetterSettled)
        await road.eventually(lambda: _none_waits(road), what="the end of the retry")
    assert len(handler.seen) == 2
    assert [type(event) for event in await said(road)] == [LetterBuried, LetterRetried, LetterSettled]


async def test_a_drop_needs_a_reason_and_is_said_before_the_letter_goes(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(road, Mended().handle, LISTEN):
        (letter,) = await buried(road, started())
    with pytest.raises(UserError, match="reason_missing"):
        await decisions(road).drop(letter, "  ")
    with monkeypatch.context() as patched:
        patched.setattr(Decisions, "_take_away", _killed(Decisions._take_away, "before"))
        with pytest.raises(KilledError):
            await decisions(road).drop(letter, "it was taken again")
    assert len(await letters(road)) == 1
    await decisions(road).drop(letter, "it was taken again")
    assert await letters(road) == []
    dropped = LetterDropped(letter_id=letter.id, burial=1, dropped_by="a tester", reason="it was taken again")
    assert (await said(road))[1:] == [dropped]


async def test_letters_are_found_by_what_they_tell(road: Road) -> None:
    first, second = started("camera"), started("guide")
    async with listening(road, Mended().handle, LISTEN):
        one, other = sorted(await buried(road, first, second), key=lambda each: each.position)
    assert await letters(road, Sought(entity=one.origin.entity_id)) == [one]
    assert await letters(road, Sought(entity=str(other.origin.entity_id)[:8])) == [other]
    for none in (
        Sought(service="mover"),
        Sought(handler="move"),
        Sought(code="disk_full"),
        Sought(failure=FailureKind.POISON),
        Sought(type="observation.finished"),
        Sought(since=datetime.now(UTC) + timedelta(hours=1)),
        Sought(until=datetime.now(UTC) - timedelta(hours=1)),
    ):
        assert await letters(road, none) == []
    for both in (
        Sought(service="tester", handler="listen", code="broken", failure=FailureKind.PERMANENT),
        Sought(type="observation.started"),
        Sought(type="observation"),
        Sought(type="chasqui.observation.started.v1"),
        Sought(since=one.buried_at, until=datetime.now(UTC) + timedelta(hours=1)),
    ):
        assert await letters(road, both) == [one, other]
    assert await letters(road, Sought(type="obs")) == []


async def test_a_letter_is_named_by_the_beginning_of_its_id(road: Road) -> None:
    client, site = road.client(road.telescope), road.telescope.site
    async with listening(road, Mended().handle, LISTEN):
        found = await buried(road, *[started() for _ in range(3)])
    for letter in found:
        assert (await find_letter(client, site, str(letter.id)[:13].upper())).id == letter.id
    for name, code in (
        ("0123456789", "letter_unknown"),
        (str(found[0].id)[:3], "letter_name_too_short"),
    ):
        with pytest.raises(UserError, match=code):
            await find_letter(client, site, name)


@pytest.mark.parametrize("spare", [1500, 100_000])
async def test_a_message_too_large_for_its_letter_is_sent_again_whole(road: Road, spare: int) -> None:
    """Without room for our headers beside it, the handler's bus fetches it from where it is."""
    handler = Mended()
    most = road.client(road.telescope).max_payload
    plain = started()
    filler = most - spare - len(plain.model_dump_json())
    event = plain.model_copy(update={"obs_mode": "x" * filler})
    async with listening(road, handler.handle, LISTEN):
        (letter,) = await buried(road, event)
        assert letter.cut_from == len(event.model_dump_json())
        assert len(letter.origin.data) < letter.cut_from
        handler.whole = True
        await decisions(road).retry(letter)
        await road.wait_for(road.telescope, LetterSettled)
    assert await road.events_of(road.telescope, ObservationFinished) == [finished(event)]


async def test_a_cut_letter_whose_message_is_gone_says_so(road: Road) -> None:
    js = road.client(road.telescope).jetstream()
    async with listening(road, Mended().handle, LISTEN):
        (letter,) = await buried(road, started())
        gone = replace(letter, cut_from=99, origin=replace(letter.origin, sequence=10_000))
        with pytest.raises(UserError, match="message_gone"):
            await decisions(road).retry(gone)
    assert (await js.stream_info(replay_stream(road.telescope.site))).state.messages == 0
    assert await road.events_of(road.telescope, LetterRetried) == []


@pytest.mark.parametrize(("service", "handler"), [("projector", "project"), ("tester", "nobody")])
async def test_a_letter_that_nobody_would_hear_is_not_sent(road: Road, service: str, handler: str) -> None:
    async with listening(road, Mended().handle, LISTEN):
        (letter,) = await buried(road, started())
        with pytest.raises(UserError, match="letter_not_retriable") as caught:
            await decisions(road).retry(replace(letter, service=service, handler=handler))
    assert ("opsdb rebuild" in caught.value.problem.remedy) == (service == "projector")
    assert await road.events_of(road.telescope, LetterRetried) == []
    assert len(await letters(road)) == 1


async def test_a_letter_of_an_earlier_version_is_read_and_sent_again(road: Road) -> None:
    """It had no id, no count, no kind of failure, and shared its subject with others."""
    handler, event, site = Mended(), started(), road.telescope.site
    js = road.client(road.telescope).jetstream()
    async with listening(road, handler.handle, LISTEN):
        (letter,) = await buried(road, event)
        headers = {
            name: value
            for name, value in letter.headers().items()
            if not name.endswith(("-id", "-burial", "-failure")) or name == "ce-id"
        }
        await js.delete_msg(dead_stream(site), letter.position)
        await js.publish(f"{DEAD_ROOT}.{site}.tester", letter.origin.data, headers=headers)
        (old,) = await letters(road)
        assert (old.id, old.burial, old.problem) == (letter.id, 1, letter.problem)
        handler.whole = True
        await decisions(road).retry(old)
        await road.wait_for(road.telescope, LetterSettled)
    assert await letters(road) == []


async def test_what_is_no_letter_hides_no_letter(road: Road) -> None:
    site = road.telescope.site
    js = road.client(road.telescope).jetstream()
    await js.publish(f"{DEAD_ROOT}.{site}.tester", b"nonsense")
    async with listening(road, Mended().handle, LISTEN):
        assert len(await buried(road, started())) == 1


async def test_nonsense_among_what_is_sent_again_is_buried(road: Road) -> None:
    site = road.telescope.site
    js = road.client(road.telescope).jetstream()
    async with listening(road, Mended().handle, LISTEN):
        await js.publish(replay(site, "tester", "listen"), b"nonsense", stream=replay_stream(site))
        (letter,) = await buried(road)
        assert letter.problem.code == "bad_replay"
    assert await waiting(road) == 0
