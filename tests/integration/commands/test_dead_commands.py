"""chasqui dead against a site that really runs, found by its work directory."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from commands.dead import Filters, show_list, show_one
from commands.dead_deciding import Choice, Doing, drop, retry
from commands.reaching import sites_of
from contracts.base import Event
from contracts.letters import LetterDropped, LetterRetried, LetterSettled
from contracts.observations import ObservationFinished, ObservationStarted
from contracts.problems import Problem
from contracts.states import FailureKind
from libs.bus.burying import DeadLetters
from libs.bus.letter_reading import read_letters
from libs.bus.origin import Origin
from libs.bus.subscription import Subscription
from libs.errors import Permanent, UserError
from libs.service.service import Place
from libs.sites.running import Running, SiteUrls, announced
from libs.sites.workdir import Workdir
from tests.integration.commands.test_insight_commands import paper, written
from tests.integration.libs.bus.test_bus import finished, listening, pending, started
from tests.support.road import Road

pytestmark = pytest.mark.integration
LISTEN = Subscription("tester", "listen", (ObservationStarted,), ack_wait_s=2.0)


class World:
    """A handler that fails for the instruments that are broken."""

    def __init__(self) -> None:
        self.broken = {"camera": "shutter_stuck", "guide": "lens_dirty"}

    async def handle(self, event: ObservationStarted) -> Sequence[Event]:
        if (code := self.broken.get(event.instrument)) is not None:
            raise Permanent(code, f"the {event.instrument} is broken", "Mend it.")
        return [finished(event)]


@asynccontextmanager
async def letters(
    road: Road, tmp_path: Path, *instruments: str
) -> AsyncIterator[tuple[World, tuple[Place, ...], list[str]]]:
    """A site at which messages of these instruments are dead letters; their ids, in this order."""
    world, place = World(), road.telescope
    workdir = Workdir(tmp_path / "work")
    running = Running.here(place.deployment, (place.site,), {place.site: SiteUrls()})
    with announced(workdir, running, place.credentials):
        async with listening(road, world.handle, LISTEN):
            for instrument in instruments:
                await road.publisher(place).publish([started(instrument)])
            await road.eventually(lambda: _all_settled(road), what="the burials")
            found = await read_letters(road.client(place), place.site)
            yield world, sites_of(workdir, None, None), [str(letter.id) for letter in found]


async def _all_settled(road: Road) -> bool:
    return await pending(road, LISTEN) == 0


async def listed(places: Sequence[Place], filters: Filters | None = None, limit: int = 100) -> list[str]:
    data = paper(5000)
    assert await show_list(places, filters or Filters(), limit=limit, as_json=True, console=data) == 0
    return [letter["id"] for letter in json.loads(written(data))]


async def test_letters_are_listed_with_their_reasons(road: Road, tmp_path: Path) -> None:
    async with letters(road, tmp_path, "camera", "guide") as (_, places, ids):
        shown = paper(300)
        assert await show_list(places, Filters(), limit=1, as_json=False, console=shown) == 0
        text = written(shown)
        assert ids[0][:8] in text
        assert "tester.listen" in text
        assert "shutter_stuck: the camera is broken" in text
        assert "and 1 more" in text
        assert await listed(places) == ids
        assert await listed(places, Filters(code="lens_dirty")) == ids[1:]
        assert await listed(places, Filters(since="1h", type="observation.started")) == ids
        assert await listed(places, Filters(until="1h")) == []
        for wrong, code in (
            (Filters(since="yesterday"), "moment_unreadable"),
            (Filters(failure="bad"), "failure_unknown"),
        ):
            with pytest.raises(UserError, match=code):
                await listed(places, wrong)


async def test_a_letter_is_shown_whole(
    road: Road, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    async with letters(road, tmp_path, "camera") as (_, places, [name]):
        shown, data = paper(300), paper(9000)
        await show_one(places, name[:8], body=False, as_json=False, console=shown)
        for words in (name, "shutter_stuck, permanent", "Mend it.", "ce-id", '"instrument": "camera"'):
            assert words in written(shown)
        await show_one(places, name, body=False, as_json=True, console=data)
        told = json.loads(written(data))
        assert (told["burial"], told["problem"]["code"]) == (1, "shutter_stuck")
        capfdbinary.readouterr()
        await show_one(places, name, body=True, as_json=False, console=paper())
        assert json.loads(capfdbinary.readouterr().out) == json.loads(told["body"])
        with pytest.raises(UserError, match="letter_unknown"):
            await show_one(places, "00000000", body=False, as_json=False, console=paper())


async def test_a_dry_run_does_nothing(road: Road, tmp_path: Path) -> None:
    async with letters(road, tmp_path, "camera") as (_, places, [name]):
        shown, data = paper(300), paper(9000)
        choice = Choice((name,), Filters())
        assert await retry(places, choice, Doing.NOT_YET, as_json=False, console=shown) == 0
        assert "1 letter would be sent again" in written(shown)
        assert await drop(places, choice, Doing.NOT_YET, reason="x", as_json=True, console=data) == 0
        told = json.loads(written(data))
        assert (told["dry_run"], [one["id"] for one in told["dropped"]]) == (True, [name])
        assert await listed(places) == [name]
        assert await road.events_of(road.telescope, LetterRetried) == []


async def test_never_everything_by_accident(road: Road, tmp_path: Path) -> None:
    async with letters(road, tmp_path, "camera") as (_, places, ids):
        for choice, code in (
            (Choice((), Filters()), "nothing_chosen"),
            (Choice(tuple(ids), Filters(code="x")), "choice_unclear"),
            (Choice(tuple(ids), Filters(), everything=True), "choice_unclear"),
        ):
            with pytest.raises(UserError, match=code):
                await retry(places, choice, Doing.NOW, as_json=False, console=paper())
        with pytest.raises(UserError, match="reason_missing"):
            await drop(
                places, Choice(tuple(ids), Filters()), Doing.NOW, reason=" ", as_json=False, console=paper()
            )
        assert await listed(places) == ids


async def test_what_was_mended_is_retried_by_its_reason(road: Road, tmp_path: Path) -> None:
    async with letters(road, tmp_path, "camera", "guide", "camera") as (world, places, ids):
        del world.broken["camera"]
        shown = paper(300)
        choice = Choice((), Filters(code="shutter_stuck"))
        assert await retry(places, choice, Doing.NOW, as_json=False, console=shown) == 0
        assert "2 letters sent again" in written(shown)
        await road.wait_for(road.telescope, LetterSettled, count=2)
        assert await listed(places) == [ids[1]]
        assert len(await road.events_of(road.telescope, ObservationFinished)) == 2


async def test_all_are_retried_when_somebody_says_so_and_those_who_cannot_be_are_told(
    road: Road, tmp_path: Path
) -> None:
    """A projector's letter is nobody's to handle: the others are sent all the same, and the status tells."""
    async with letters(road, tmp_path, "camera") as (world, places, ids):
        world.broken.clear()
        stranger = DeadLetters(road.client(road.telescope), site=road.telescope.site, service="projector")
        origin = Origin("chasqui.chile.nonsense.happened.v9", {}, b"{}", "EVENTS_chile", 7)
        problem = Problem(code="unknown_type", reason="it is unknown", remedy="Upgrade.")
        await stranger.bury(origin, problem, FailureKind.POISON, handler="project", attempts=1)
        shown = paper(300)
        assert await retry(places, Choice((), Filters(), True), Doing.NOW, as_json=False, console=shown) == 1
        assert "1 letter sent again" in written(shown)
        assert "opsdb rebuild" in written(shown)
        await road.wait_for(road.telescope, LetterSettled)
        assert [name for name in await listed(places) if name in ids] == []
        assert len(await listed(places)) == 1


async def test_a_drop_is_remembered_with_its_reason(road: Road, tmp_path: Path) -> None:
    async with letters(road, tmp_path, "camera", "guide") as (_, places, ids):
        shown = paper(300)
        choice = Choice((ids[0][:10],), Filters())
        assert await drop(places, choice, Doing.NOW, reason="taken again", as_json=False, console=shown) == 0
        assert "1 letter dropped" in written(shown)
        assert await listed(places) == ids[1:]
        (said,) = await road.events_of(road.telescope, LetterDropped)
        assert (str(said.letter_id), said.reason) == (ids[0], "taken again")
