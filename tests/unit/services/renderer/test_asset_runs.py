"""Render runs of assets: what is said when, which pictures count, and what is tried again."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest

from contracts.base import derived_id
from contracts.envelope import Envelope
from contracts.problems import Problem
from contracts.skynet.assets import AssetEvent, RenderMarked
from contracts.skynet.fields import changed
from contracts.skynet.states import AssetRole, RunState
from contracts.states import LocationType
from libs.bus.delivery import Delivery
from libs.bus.fencing import Overtaken
from libs.errors import Retriable
from libs.imaging.outcomes import (
    ColourMap,
    NoPreview,
    NoPreviewCode,
    Picture,
    PictureFormat,
    Rendered,
    RenderSettings,
    Stretch,
)
from libs.service.service import Place
from libs.sites.credentials import Credentials
from libs.sites.models import DiskLocation
from libs.skynet import rendering, runs, transfers
from libs.skynet.knowing import KnownAsset, KnownFile
from libs.skynet.rendering import Debounce
from libs.skynet.runs import Made
from services.renderer.assets import pictures
from services.renderer.assets.deciding import ITERATIONS, Beginning, Ending, Remembering, running
from services.renderer.assets.rendering import AssetRenderer
from services.renderer.assets.settings import OF_ROLES, settings_for
from tests.support.deployments import deployment
from tests.support.histories.skynet import asset
from tests.support.told import ToldAssets

NOW = datetime(2026, 9, 1, tzinfo=UTC)
DEBOUNCE = Debounce(quiet=timedelta(seconds=30), backoff=timedelta(minutes=1), failures=3)
LATER = NOW + timedelta(seconds=30)


class Clock:
    """It shows what it is set to."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


def known() -> KnownAsset:
    """An asset that is here, and was marked now."""
    told = transfers.register(asset(1, remote=False), DEBOUNCE, NOW)
    return KnownAsset(told, KnownFile("source", "a.fits", 5, None), None, None)


def told_of(one: KnownAsset) -> ToldAssets:
    told = ToldAssets(one.told, one.file)
    told.known = one
    return told


def after(told: ToldAssets, decide: Callable[[KnownAsset], AssetEvent | None]) -> list[str]:
    before = len(told.said)
    while (event := decide(told.known)) is not None:
        told.say(event)
    return [event.fact for event in told.said[before:]]


def begun() -> ToldAssets:
    told = told_of(known())
    assert after(told, Beginning(lambda: LATER, DEBOUNCE).next) == ["queued", "started"]
    return told


def ending(told: ToldAssets, outcome: Made | Problem, at: datetime = LATER) -> Ending:
    run = running(told.known)
    assert run is not None
    return Ending(run.uid, run.iterations, outcome, lambda: at, DEBOUNCE)


def result(name: str) -> Made:
    """What a run made."""
    return Made(thumbnail=derived_id("file", name, "thumbnail"), preview=derived_id("file", name, "preview"))


PROBLEM = Problem(code="damaged", reason="it is", remedy="none")


# Decisions.


def test_a_run_begins_once_and_not_before_its_time() -> None:
    early = told_of(known())
    assert after(early, Beginning(lambda: NOW, DEBOUNCE).next) == []
    told = begun()
    [run] = [told.known.latest]
    assert run is not None
    assert (run.number, run.state, run.dirty_at) == (1, RunState.RUNNING, NOW)


def test_a_run_whose_renderer_was_lost_is_given_to_another_one_but_not_for_ever() -> None:
    told = begun()
    for _ in range(ITERATIONS - 1):
        assert after(told, Beginning(lambda: LATER, DEBOUNCE).next) == ["returned", "started"]
    assert after(told, Beginning(lambda: LATER, DEBOUNCE).next) == ["failed"]
    assert told.known.care.render_failures == 1


def test_success_swaps_everything_together_and_clears_the_mark() -> None:
    told = begun()
    run = running(told.known)
    assert run is not None
    wanted = result("1")
    assert after(told, ending(told, wanted).next) == ["completed"]
    now = told.known.asset
    assert (now.thumbnail_file_id, now.preview_file_id) == (wanted.thumbnail, wanted.preview)
    assert (now.current_render_run_id, now.render_dirty_at) == (run.uid, None)
    assert after(told, Beginning(lambda: LATER, DEBOUNCE).next) == [], "rendering marks nothing"


def test_a_mark_of_the_meantime_stays() -> None:
    told = begun()
    told.say(rendering.mark(told.known.told, LATER, DEBOUNCE))
    after(told, ending(told, result("1")).next)
    assert told.known.asset.render_dirty_at == LATER
    due = LATER + DEBOUNCE.quiet
    assert after(told, Beginning(lambda: due, DEBOUNCE).next) == ["queued", "started"]


def test_failure_keeps_the_pictures_waits_longer_and_ends() -> None:
    told, at = begun(), LATER
    after(told, ending(told, result("1")).next)
    before = told.known.asset
    told.say(rendering.mark(told.known.told, at, DEBOUNCE))
    waits = []
    for _ in range(DEBOUNCE.failures):
        at = told.known.asset.next_eligible_render_at or at
        assert after(told, Beginning(lambda at=at: at, DEBOUNCE).next) == ["queued", "started"]  # type: ignore[misc]
        after(told, ending(told, PROBLEM, at).next)
        waits.append((told.known.asset.next_eligible_render_at or at) - at)
    assert waits == [timedelta(minutes=minutes) for minutes in (1, 2, 4)]
    now = told.known.asset
    assert (now.thumbnail_file_id, now.preview_file_id) == (before.thumbnail_file_id, before.preview_file_id)
    assert now.current_render_run_id == before.current_render_run_id
    far = at + timedelta(days=1)
    assert after(told, Beginning(lambda: far, DEBOUNCE).next) == []


def test_who_is_not_at_it_any_more_ends_nothing() -> None:
    told = begun()
    late = ending(told, result("1"))
    after(told, Beginning(lambda: LATER, DEBOUNCE).next)
    assert after(told, late.next) == [], "another iteration"
    run = running(told.known)
    assert run is not None
    mine = ending(told, result("1"))
    told.say(runs.cancel(told.known.told, run, LATER))
    assert after(told, mine.next) == []


def test_a_mark_that_had_the_turn_of_a_run_is_said_again_and_no_other() -> None:
    told = begun()
    at = LATER + timedelta(seconds=1)
    lost = rendering.mark(told.known.told, at, DEBOUNCE)
    kept = Remembering(lost, lambda: at, DEBOUNCE)
    after(told, ending(told, result("1")).next)  # the mark is not in its row
    assert told.known.asset.render_dirty_at is None
    assert after(told, kept.next) == ["render_marked"]
    assert told.known.asset.render_dirty_at == at
    assert after(told, kept.next) == []
    due = at + DEBOUNCE.quiet
    after(told, Beginning(lambda: due, DEBOUNCE).next)
    after(told, ending(told, result("2"), due).next)
    assert after(told, kept.next) == [], "it was answered"


def test_every_role_has_settings_of_its_kind() -> None:
    assert set(OF_ROLES) == set(AssetRole)
    assert settings_for(None) == settings_for(AssetRole.SCIENCE_LIGHT) == RenderSettings()
    assert {settings_for(role).stretch for role in (AssetRole.BIAS, AssetRole.FLAT)} == {Stretch.LINEAR}
    assert settings_for(AssetRole.DARK).stretch is Stretch.ASINH
    radio = (AssetRole.RADIO_TRACK, AssetRole.RADIO_TRACK_TABLE, AssetRole.RADIO_MAP)
    assert {settings_for(role).colour_map for role in radio} == {ColourMap.VIRIDIS}


# The order of effects.


class Pool:
    """Answers at once, and hears how it was asked."""

    def __init__(self, answer: Rendered | NoPreview) -> None:
        self.answer = answer
        self.asked: list[tuple[Path, RenderSettings]] = []
        self.during: Callable[[], None] = lambda: None

    async def render(self, path: Path, settings: RenderSettings) -> Rendered | NoPreview:
        self.asked.append((path, settings))
        self.during()
        return self.answer


def picture(data: bytes, form: PictureFormat = PictureFormat.PNG) -> Picture:
    return Picture(data=data, format=form, width=1, height=1, etag="0" * 64)


def rendered(data: bytes, form: PictureFormat = PictureFormat.PNG) -> Rendered:
    return Rendered(
        thumbnail=picture(data + b" small", form),
        preview=picture(data, form),
        hdu=0,
        plane=0,
        planes=1,
        native_width=1,
        native_height=1,
        black=0,
        white=1,
    )


def renderer(told: ToldAssets, folder: Path, pool: Pool, clock: Clock) -> AssetRenderer:
    source = DiskLocation(type=LocationType.SOURCE, path=folder / "source")
    buffer = DiskLocation(type=LocationType.BUFFER, path=folder / "buffer")
    world = deployment({"chile": {"source": source}, "cologne": {"buffer": buffer}})
    for disk in (source, buffer):
        disk.path.mkdir(exist_ok=True)
    return AssetRenderer(
        place=Place("chile", world, Credentials({}), folder / "state"),
        assets=told,
        pool=cast("Any", pool),
        now=clock,
        debounce=DEBOUNCE,
    )


def shown(told: ToldAssets, folder: Path) -> list[bytes]:
    """The pictures that count."""
    uid, now = told.known.asset.uid, told.known.asset
    ids = [one for one in (now.thumbnail_file_id, now.preview_file_id) if one is not None]
    found = [pictures.find(folder / "state/previews", uid, one) for one in ids]
    return [path.read_bytes() for path in found if path is not None]


def on_disk(told: ToldAssets, folder: Path) -> int:
    here = pictures.folder_of(folder / "state/previews", told.known.asset.uid)
    return len(list(here.iterdir())) if here.is_dir() else 0


async def test_pictures_are_written_before_they_count_and_older_ones_removed_after(tmp_path: Path) -> None:
    told, clock = told_of(known()), Clock(LATER)
    pool = Pool(rendered(b"first"))
    makes = renderer(told, tmp_path, pool, clock)
    (tmp_path / "source/a.fits").write_bytes(b"x")
    told.before = lambda event: seen.append((event.fact, on_disk(told, tmp_path)))
    seen: list[tuple[str, int]] = []
    await makes.render(told.known.asset.uid)
    await makes.render(told.known.asset.uid)
    assert seen == [("queued", 0), ("started", 0), ("completed", 2)]
    assert shown(told, tmp_path) == [b"first small", b"first"]
    told.say(rendering.mark(told.known.told, LATER, DEBOUNCE))
    clock.at, pool.answer = LATER + DEBOUNCE.quiet, rendered(b"second", PictureFormat.WEBP)
    await makes.render(told.known.asset.uid)
    assert seen[-1] == ("completed", 4), "the older ones are there until the newer ones count"
    assert shown(told, tmp_path) == [b"second small", b"second"]
    assert on_disk(told, tmp_path) == 2
    assert pool.asked[0] == (tmp_path / "source/a.fits", settings_for(AssetRole.SCIENCE_LIGHT))


@pytest.mark.parametrize(
    ("answer", "there", "code"),
    [
        (NoPreview(code=NoPreviewCode.NOT_FITS, reason="words"), True, "not_fits"),
        (NoPreview(code=NoPreviewCode.RENDERER_CRASHED, reason="dead"), True, "renderer_crashed"),
        (rendered(b"x"), False, "file_vanished"),
    ],
)
async def test_a_run_without_pictures_fails_with_its_reason(
    tmp_path: Path, answer: Rendered | NoPreview, code: str, *, there: bool
) -> None:
    told = told_of(known())
    makes = renderer(told, tmp_path, Pool(answer), Clock(LATER))
    if there:
        (tmp_path / "source/a.fits").write_bytes(b"x")
    await makes.render(told.known.asset.uid)
    assert [event.fact for event in told.said] == ["queued", "started", "failed"]
    run = told.known.latest
    assert run is not None
    assert run.errors[0].startswith(f"{code}: ")
    assert told.known.asset.render_dirty_at == NOW


async def test_a_disk_that_is_away_is_waited_for_without_a_run(tmp_path: Path) -> None:
    told = told_of(known())
    makes = renderer(told, tmp_path, Pool(rendered(b"x")), Clock(LATER))
    (tmp_path / "source").rmdir()
    with pytest.raises(Retriable, match="location_missing"):
        await makes.render(told.known.asset.uid)

    async def due() -> Sequence[UUID]:
        return [told.known.asset.uid]

    await makes.look(due)
    assert told.said == []


async def test_whoever_was_overtaken_says_nothing_more(tmp_path: Path) -> None:
    told = told_of(known())
    pool = Pool(rendered(b"x"))
    makes = renderer(told, tmp_path, pool, Clock(LATER))
    (tmp_path / "source/a.fits").write_bytes(b"x")

    def overtaken(_: AssetEvent) -> None:
        raise Overtaken("a successor")

    pool.during = lambda: setattr(told, "before", overtaken)

    async def due() -> Sequence[UUID]:
        return [told.known.asset.uid]

    with pytest.raises(Overtaken):
        await makes.look(due)
    assert [event.fact for event in told.said] == ["queued", "started"]


async def test_who_wakes_late_removes_nothing_newer(tmp_path: Path) -> None:
    told = begun()
    first = told.known.latest
    assert first is not None
    previews, uid = tmp_path, told.known.asset.uid
    newer = changed(first, {"number": 2, "uid": UUID(int=2)})
    kept = pictures.keep(previews, uid, newer, rendered(b"newer"))
    pictures.keep(previews, uid, first, rendered(b"older"))
    pictures.remove_earlier(previews, uid, first)
    assert kept.preview is not None
    assert pictures.find(previews, uid, kept.preview) is not None
    pictures.remove_earlier(previews, uid, newer)
    assert len(list(pictures.folder_of(previews, uid).iterdir())) == 2


async def test_bytes_that_were_fetched_are_looked_for_in_the_buffers(tmp_path: Path) -> None:
    one = known()
    came = changed(one.asset, {"remote_file_path": "night/a.fits"})
    care = changed(one.care, {"transfer_attempts": 1})
    told = told_of(replace(one, told=AssetEvent(turn=1, asset=came, care=care)))
    pool = Pool(rendered(b"x"))
    makes = renderer(told, tmp_path, pool, Clock(LATER))
    (tmp_path / "source/a.fits").write_bytes(b"of the node")
    uid = came.uid
    here = tmp_path / "buffer/assets" / uid.hex[:2] / str(uid) / "a.fits"
    here.parent.mkdir(parents=True)
    here.write_bytes(b"x")
    await makes.render(uid)
    assert [path for path, _ in pool.asked] == [here]


async def test_a_lost_mark_is_heard(tmp_path: Path) -> None:
    told = begun()
    clock = Clock(LATER)
    lost = rendering.mark(told.known.told, LATER, DEBOUNCE)
    after(told, ending(told, result("1")).next)
    makes = renderer(told, tmp_path, Pool(rendered(b"x")), clock)
    envelope = Envelope.of(lost, site="chile", service="filing", time=LATER)
    await makes.marked(lost, Delivery(envelope, "EVENTS_chile", 1, 1))
    await makes.marked(lost, Delivery(envelope, "EVENTS_chile", 1, 2))
    assert [type(event) for event in told.said[3:]] == [RenderMarked]
