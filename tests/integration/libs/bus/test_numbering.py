"""Numbers of burials on a real server: each is given once, whatever was forgotten, lost or overtaken since the last."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from nats.aio.client import Client
from nats.js.api import PubAck
from nats.js.errors import NotFoundError

from contracts.base import Event
from contracts.envelope import Envelope
from contracts.letters import LetterBuried, LetterDropped
from contracts.problems import Problem
from contracts.registry import REGISTRY
from contracts.states import FailureKind
from contracts.subjects import about_letters, dead_letter, dead_stream, events_stream
from libs.bus.burying import DeadLetters
from libs.bus.connection import BusAddress, connect
from libs.bus.letter_counting import BurialBook
from libs.bus.letter_deciding import Decisions
from libs.bus.letter_reading import read_letters
from libs.bus.letters import Letter
from libs.bus.origin import Origin, type_of
from libs.bus.provision import provision_streams
from libs.bus.publishing import EventPublisher
from tests.integration.libs.bus.test_bus import started
from tests.support.letters import forgetful, forgotten
from tests.support.servers import TestServers

pytestmark = pytest.mark.integration
PROBLEM = Problem(code="broken", reason="it is broken", remedy="Mend it.")


@dataclass(frozen=True)
class Lone:
    """The streams of one site, and nothing else."""

    client: Client
    site: str

    @property
    def letters(self) -> DeadLetters:
        """One instance of a service."""
        return DeadLetters(self.client, site=self.site, service="tester")

    async def message(self) -> Origin:
        """An event of the log, as a handler has it."""
        event = started()
        publisher = EventPublisher(self.client, site=self.site, service="test")
        sequence = await publisher.publish([event])
        body = event.model_dump_json().encode()
        return Origin(event.subject(self.site), {}, body, events_stream(self.site), sequence)

    async def give_up(self, origin: Origin) -> Letter:
        return await self.letters.bury(origin, PROBLEM, FailureKind.PERMANENT, handler="listen", attempts=1)

    async def drop(self, letter: Letter) -> None:
        await Decisions(self.client, self.site, by="a tester").drop(letter, "not needed")

    async def standing(self) -> list[Letter]:
        return await read_letters(self.client, self.site)

    async def said(self) -> list[Event]:
        """What was said of letters: each word once, as the projector has it."""
        js, sequence = self.client.jetstream(), 1
        words: dict[UUID, Event] = {}
        while True:
            try:
                raw = await js.get_msg(
                    events_stream(self.site), sequence, about_letters(self.site), direct=True, next=True
                )
            except NotFoundError:
                return list(words.values())
            event = REGISTRY.read(type_of(str(raw.subject)), raw.data or b"")
            words.setdefault(Envelope.from_headers(raw.headers or {}).id, event)
            sequence = int(raw.seq or 0) + 1


@pytest.fixture
async def lone(servers: TestServers) -> AsyncIterator[Lone]:
    address = BusAddress(servers.nats_url, servers.nats_user, servers.nats_password)
    client = await connect(address, name="numbering")
    made = Lone(client, f"chile-{secrets.token_hex(4)}")
    await provision_streams(client, site=made.site)
    yield made
    js = client.jetstream()
    for info in await js.streams_info():
        if str(info.config.name).endswith(f"_{made.site}"):
            await js.delete_stream(str(info.config.name))
    await client.close()


def facts(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.fact, event.burial) for event in events]  # type: ignore[attr-defined]


async def test_who_was_paused_until_the_letter_of_a_successor_was_dropped_has_a_burial_of_its_own(
    lone: Lone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number was another one's by then: the ops-db would go on saying that the letter is dropped."""
    origin, real, paused = await lone.message(), DeadLetters._store, ["once"]
    await forgetful(lone.client, lone.site)

    async def store(self: DeadLetters, letter: Letter, newest: int) -> PubAck | None:
        if paused:
            paused.pop()
            await lone.drop(await lone.give_up(origin))
            await forgotten()
        return await real(self, letter, newest)

    monkeypatch.setattr(DeadLetters, "_store", store)
    letter = await lone.give_up(origin)
    assert (letter.burial, [there.burial for there in await lone.standing()]) == (2, [2])
    assert facts(await lone.said()) == [("buried", 1), ("dropped", 1), ("buried", 2)]


async def test_who_was_paused_until_a_successor_had_buried_it_finds_that_letter(
    lone: Lone, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin, real, successors = await lone.message(), DeadLetters._store, list[Letter]()
    await forgetful(lone.client, lone.site)

    async def store(self: DeadLetters, letter: Letter, newest: int) -> PubAck | None:
        if not successors:
            successors.append(replace(letter, position=0))  # not a second time
            successors[0] = await lone.give_up(origin)
            await forgotten()
        return await real(self, letter, newest)

    monkeypatch.setattr(DeadLetters, "_store", store)
    letter = await lone.give_up(origin)
    assert (letter.position, letter.buried_at) == (successors[0].position, successors[0].buried_at)
    assert len(await lone.standing()) == 1
    assert facts(await lone.said()) == [("buried", 1)]


async def test_an_operator_who_is_quicker_than_the_word_of_the_burial_has_the_last_one(
    lone: Lone, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin, real = await lone.message(), DeadLetters.announce

    async def announce(self: DeadLetters, letter: Letter) -> None:
        await lone.drop(letter)
        await real(self, letter)

    monkeypatch.setattr(DeadLetters, "announce", announce)
    await lone.give_up(origin)
    assert await lone.standing() == []
    assert [type(event) for event in await lone.said()] == [LetterBuried, LetterDropped]


class KilledError(Exception):
    """The process is no more."""


async def killed(*_: object) -> None:
    raise KilledError


@pytest.mark.parametrize("lost", ["dropped", "with its stream", "by hand, before it was said"])
async def test_a_letter_that_is_gone_had_its_number(
    lone: Lone, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """Killed before it was said, and dropped before the message came again; or lost with everything but the log."""
    origin, site = await lone.message(), lone.site
    js = lone.client.jetstream()
    if lost != "with its stream":
        with monkeypatch.context() as patched:
            patched.setattr(DeadLetters, "announce", killed)
            with pytest.raises(KilledError):
                await lone.give_up(origin)
    else:
        await lone.give_up(origin)
    (letter,) = await lone.standing()
    if lost == "dropped":
        await forgetful(lone.client, lone.site)
        await lone.drop(letter)
        await forgotten()
    elif lost == "with its stream":
        config = (await js.stream_info(dead_stream(site))).config
        await js.delete_stream(dead_stream(site))
        await js.add_stream(config)
    else:
        await js.delete_msg(dead_stream(site), letter.position)
    assert (await lone.give_up(origin)).burial == 2
    assert [there.burial for there in await lone.standing()] == [2]
    assert ("buried", 2) in facts(await lone.said())


async def test_the_letter_of_the_burial_before_does_not_come_to_light_again(
    lone: Lone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the new letter and the end of the old one, whose retry had been killed, too."""
    origin, site = await lone.message(), lone.site
    first = await lone.give_up(origin)
    past = first.as_burial(retried_by="a tester", retried_at=datetime.now(UTC))
    again = replace(origin, letter_id=first.id, history=(past,), replayed=True)
    with monkeypatch.context() as patched:
        patched.setattr(DeadLetters, "announce", killed)
        with pytest.raises(KilledError):
            await lone.give_up(again)
    second = await lone.give_up(again)
    subject = dead_letter(site, "tester", "listen", first.id)
    info = await lone.client.jetstream().stream_info(dead_stream(site), subjects_filter=subject)
    assert (second.burial, info.state.subjects) == (2, {subject: 1})


async def test_the_book_reads_on_where_it_was_and_back_when_it_must(lone: Lone) -> None:
    """Of events of the own log it reads what came after them; what nobody here can read is passed over."""
    old, new = await lone.message(), await lone.message()
    book = BurialBook(lone.client, site=lone.site)
    js, site = lone.client.jetstream(), lone.site
    await js.publish(f"chasqui.{site}.letter.buried.v1", b"no json")
    one = await lone.give_up(old)
    late = f'{{"letter_id": "{one.id}", "burial": 7, "what": "a later version says"}}'
    later = await lone.message()
    assert await book.highest(one.id, later) == 0
    await js.publish(f"chasqui.{site}.letter.moved.v9", late.encode())
    assert await book.highest(one.id, later) == 7
    two = await lone.give_up(new)
    assert await book.highest(two.id, later) == 1
    three = await lone.give_up(replace(later, stream="EVENTS_elsewhere"))
    assert await book.highest(three.id, old) == 1
    assert await book.highest(one.id, old) == 7
