"""Burials on a real server: said once, kept whole, and finished wherever the process is killed in between."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from nats.js.api import StreamConfig

from contracts.base import Event
from contracts.letters import LetterBuried, letter_id
from contracts.observations import ObservationFinished, ObservationStarted
from contracts.problems import Problem
from contracts.states import FailureKind
from contracts.subjects import dead_stream, events_stream
from libs.bus import verdicts
from libs.bus.burying import DeadLetters
from libs.bus.bus import DeliveryOf, Handler
from libs.bus.delivery import Delivery
from libs.bus.letter_reading import read_letters
from libs.bus.letters import LONGEST_REASON, Letter
from libs.bus.subscription import Subscription
from libs.bus.verdicts import Verdicts
from libs.errors import Permanent, Retriable
from tests.integration.libs.bus.test_bus import finished, pending, started
from tests.integration.libs.bus.test_bus import listening as listening_to
from tests.support.busprocess import bus_process
from tests.support.road import Road

pytestmark = pytest.mark.integration
LISTEN = Subscription("tester", "listen", (ObservationStarted,), ack_wait_s=1.0, max_attempts=3)
BROKEN = Permanent("broken", "it is broken", "Mend it.")


async def letters(road: Road) -> list[Letter]:
    return await read_letters(road.client(road.telescope), road.telescope.site)


async def settled(road: Road) -> bool:
    return await pending(road, LISTEN) == 0


async def buried(road: Road) -> tuple[Letter, LetterBuried]:
    """The only letter and the only event about it, once the message is settled."""
    await road.eventually(lambda: letters(road), what="a dead letter")
    await road.eventually(lambda: settled(road), what="the message's end")
    (letter,) = await letters(road)
    (event,) = await road.events_of(road.telescope, LetterBuried)
    return letter, event


def failing(error: Exception) -> Handler:
    async def handle(_: ObservationStarted) -> Sequence[Event]:
        raise error

    return handle


async def test_a_burial_is_said_and_the_letter_tells_everything(road: Road) -> None:
    event = started()
    async with listening_to(road, failing(BROKEN), LISTEN):
        sequence = await road.publisher(road.telescope).publish([event])
        letter, said = await buried(road)
    site = road.telescope.site
    assert letter.id == letter_id(site, "tester", "listen", events_stream(site), sequence)
    assert (letter.service, letter.handler, letter.burial, letter.attempts) == ("tester", "listen", 1, 1)
    assert (letter.failure, letter.problem) == (FailureKind.PERMANENT, BROKEN.problem)
    assert (letter.origin.stream, letter.origin.sequence) == (events_stream(site), sequence)
    assert letter.origin.subject == ObservationStarted.subject(site)
    assert letter.origin.data == event.model_dump_json().encode()
    assert letter.origin.headers["ce-id"] == str(event.event_id(site))
    assert letter.origin.entity_id == str(event.executed_obs_unit_id)
    assert letter.cut_from is None
    assert letter.host
    assert letter.pid
    assert said == LetterBuried(
        letter_id=letter.id,
        burial=1,
        service="tester",
        handler="listen",
        stream=events_stream(site),
        sequence=sequence,
        type="chasqui.observation.started.v1",
        entity_id=str(event.executed_obs_unit_id),
        failure=FailureKind.PERMANENT,
        attempts=1,
        problem=BROKEN.problem,
    )
    envelope = next(e for e, told in await road.events(road.telescope) if told == said)
    assert envelope.causation_id == str(event.event_id(site))


class KilledError(Exception):
    """The process is no more; what comes after this line does not happen."""


@pytest.mark.parametrize("line", ["_store", "announce", "_terminate"])
async def test_killed_between_any_two_lines_there_is_one_letter_and_one_event(
    road: Road, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """Once before the step, and once after it."""
    owner = Verdicts if line == "_terminate" else DeadLetters
    real, kills = getattr(owner, line), ["before", "after"]

    async def step(*words: object) -> object:
        kill = kills.pop(0) if kills else None
        if kill == "before":
            raise KilledError
        done = await real(*words)
        if kill == "after":
            raise KilledError
        return done

    monkeypatch.setattr(owner, line, step)
    calls: list[int] = []

    async def handle(_: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        calls.append(delivery.attempt)
        raise BROKEN

    async with listening_to(road, handle, LISTEN):
        await road.publisher(road.telescope).publish([started()])
        await road.eventually(lambda: not kills, what="both kills")
        letter, said = await buried(road)
    assert (letter.burial, said.burial) == (1, 1)
    expected = {"_store": 2, "announce": 1, "_terminate": 1}
    assert len(calls) == expected[line], "what has a letter is not handled again"


def words(event: ObservationStarted, _delivery: Delivery, _problem: Problem) -> Sequence[Event]:
    """Something that a burial says of the thing that is stuck."""
    return [finished(event)]


@pytest.mark.parametrize(
    ("error", "failure", "attempts"),
    [
        (BROKEN, FailureKind.PERMANENT, 1),
        (Retriable("disk_full", "the disk is full", "Make room."), FailureKind.EXHAUSTED, 3),
        (KeyError("nobody thought of this"), FailureKind.UNEXPECTED, 3),
    ],
)
async def test_last_words_are_stored_before_the_letter(
    road: Road, error: Exception, failure: FailureKind, attempts: int
) -> None:
    async with listening_to(road, failing(error), LISTEN, given_up=words):
        await road.publisher(road.telescope).publish([started()])
        letter, said = await buried(road)
    assert (letter.failure, letter.attempts, said.attempts) == (failure, attempts, attempts)
    (about, word), (last, burial) = (await road.events(road.telescope))[-2:]
    assert (type(word), type(burial)) == (ObservationFinished, LetterBuried)
    assert about.causation_id == last.causation_id == letter.origin.event_id


async def test_last_words_that_cannot_be_said_do_not_keep_a_message_for_ever(road: Road) -> None:
    """A defect of its own: after as many deliveries without a word as attempts it is buried in silence."""

    def defective(_event: Event, _delivery: Delivery, _problem: Problem) -> Sequence[Event]:
        raise KeyError("a defect")

    async with listening_to(road, failing(BROKEN), LISTEN, given_up=defective):
        await road.publisher(road.telescope).publish([started()])
        letter, _ = await buried(road)
    assert letter.problem.code == "handler_died"


async def test_a_reason_of_any_length_makes_a_letter(road: Road) -> None:
    error = Permanent("broken", "x" * 3_000_000, "é" * 3_000_000)
    async with listening_to(road, failing(error), LISTEN):
        await road.publisher(road.telescope).publish([started()])
        letter, said = await buried(road)
    assert len(letter.problem.reason) == len(letter.problem.remedy) == LONGEST_REASON
    assert said.problem == letter.problem


async def test_a_letter_that_cannot_be_stored_leaves_the_message_as_it_is(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream of letters is full; as soon as there is room, the message is buried."""
    monkeypatch.setattr(verdicts, "LONGEST_DELAY_S", 0.3)
    js, stream = road.client(road.telescope).jetstream(), dead_stream(road.telescope.site)
    config = (await js.stream_info(stream)).config
    await js.update_stream(StreamConfig(**{**config.__dict__, "max_bytes": 1}))
    calls: list[int] = []

    async def handle(_: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        calls.append(delivery.attempt)
        raise BROKEN

    async with listening_to(road, handle, LISTEN):
        await road.publisher(road.telescope).publish([started()])
        await road.eventually(lambda: len(calls) >= 3, what="the message's return")
        assert await pending(road, LISTEN) == 1
        assert await letters(road) == []
        assert await road.events_of(road.telescope, LetterBuried) == []
        await js.update_stream(config)
        letter, _ = await buried(road)
    assert letter.problem == BROKEN.problem


async def test_a_full_stream_of_letters_throws_none_of_them_away(road: Road) -> None:
    js, stream = road.client(road.telescope).jetstream(), dead_stream(road.telescope.site)
    config = (await js.stream_info(stream)).config
    await js.update_stream(StreamConfig(**{**config.__dict__, "max_msgs": 1}))
    first, second = started(), started()
    async with listening_to(road, failing(BROKEN), LISTEN):
        await road.publisher(road.telescope).publish([first])
        await buried(road)
        await road.publisher(road.telescope).publish([second])
        await asyncio.sleep(1.0)
        assert await pending(road, LISTEN) == 1
    (letter,) = await letters(road)
    assert letter.origin.entity_id == str(first.executed_obs_unit_id)


DEADLY = """
async def handle(event, delivery: DeliveryOf):
    with (FOLDER / "calls").open("a") as calls:
        calls.write(f"{delivery.attempt}\\n")
    ENDING
"""


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param("os._exit(1)", marks=pytest.mark.long),
        "os.kill(os.getpid(), signal.SIGKILL)",
        pytest.param("await asyncio.Event().wait()", marks=pytest.mark.long),
    ],
)
async def test_a_message_that_ends_every_process_is_given_up(road: Road, tmp_path: Path, ending: str) -> None:
    """Or that is in hand whenever somebody kills it (the last case)."""
    event = started()
    await road.publisher(road.telescope).publish([event])
    for life in range(1, 10):
        async with bus_process(road, LISTEN, DEADLY.replace("ENDING", ending), tmp_path) as process:

            async def called(times: int = life) -> bool:
                calls = tmp_path / "calls"
                return await letters(road) != [] or (
                    calls.exists() and calls.read_text().count("\n") >= times
                )

            await road.eventually(called, within_s=90, what="the handler's call, or the letter")
            if await letters(road):
                await road.eventually(lambda: settled(road), what="the message's end")
                break
            if "Event" in ending:
                process.kill()
            await process.wait()
    letter, said = await buried(road)
    assert (letter.problem.code, letter.failure) == ("handler_died", FailureKind.UNEXPECTED)
    assert said.attempts == LISTEN.max_attempts
    assert (tmp_path / "calls").read_text().split() == ["1", "2", "3"]


async def test_failures_that_are_told_are_no_deaths(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    """A patient subscription waits longer for a server that is away than for a message that kills."""
    patient = Subscription("tester", "listen", (ObservationStarted,), ack_wait_s=1.0, max_attempts=40)
    monkeypatch.setattr("libs.bus.failures.FIRST_DELAY_S", 0.001)
    monkeypatch.setattr("libs.bus.failures.LONGEST_DELAY_S", 0.01)
    attempts: list[int] = []

    async def handle(event: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        attempts.append(delivery.attempt)
        if len(attempts) < 30:
            raise Retriable("disk_full", "the disk is full", "Make room.")
        return [finished(event)]

    async with listening_to(road, handle, patient):
        await road.publisher(road.telescope).publish([started()])
        await road.wait_for(road.telescope, ObservationFinished)
    assert attempts == list(range(1, 31))
    assert await letters(road) == []
