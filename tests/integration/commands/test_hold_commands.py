"""chasqui hold against two sites that really run, found by their work directory."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from commands.hold import Named, place, release, show
from contracts.holds import HoldPlaced
from libs.errors import UserError
from libs.sites.running import Running, SiteUrls, announced
from libs.sites.workdir import Workdir
from tests.integration.commands.test_insight_commands import paper, written
from tests.support.door import Door, opened
from tests.support.histories import road as history
from tests.support.histories.road import Observation
from tests.support.road import Road

pytestmark = pytest.mark.integration

UNIT = Observation(number=1, files=2, start=datetime(2026, 5, 1, tzinfo=UTC))


@asynccontextmanager
async def up(road: Road, tmp_path: Path) -> AsyncIterator[tuple[Door, Workdir]]:
    """The data centre with its gateway and both projectors, as `up` would announce them."""
    workdir = Workdir(tmp_path / "work")
    async with road.running(road.telescope, "projector"), opened(road, road.centre, "projector") as door:
        sites = (door.place.site, road.telescope.site)
        running = Running.here(door.place.deployment, sites, {door.place.site: SiteUrls(gateway=door.url)})
        with announced(workdir, running, door.place.credentials):
            await door.happen(history.road(UNIT))
            yield door, workdir


async def test_a_hold_is_known_everywhere_until_it_is_released(road: Road, tmp_path: Path) -> None:
    async with up(road, tmp_path) as (door, workdir):
        shown, data = paper(200), paper(2000)
        named = Named(observation=f" {str(UNIT.id).upper()} ")
        assert await place(workdir, named, "a transient", console=shown) == 0
        assert f"observation {UNIT.id}" in written(shown)
        assert written(shown).count("keeps its copies now") == 2

        assert await show(workdir, as_json=True, console=data) == 0
        [hold] = json.loads(written(data))
        assert (hold["kind"], hold["target"], hold["reason"]) == (
            "executed_obs_unit",
            str(UNIT.id),
            "a transient",
        )
        assert set(hold["known_at"]) == {road.telescope.site, road.centre.site}

        shown, data = paper(300), paper(2000)
        assert await show(workdir, console=shown) == 0
        assert hold["id"] in written(shown)
        assert "a transient" in written(shown)
        assert await release(workdir, hold["id"], "it was looked at", as_json=True, console=data) == 0
        released = json.loads(written(data))
        assert (released["release_reason"], released["still_in_force_at"]) == ("it was looked at", [])
        shown, everything = paper(), paper(300)
        assert await show(workdir, console=shown) == 0
        assert "nothing is held" in written(shown)
        assert await show(workdir, everything=True, console=everything) == 0
        assert "it was looked at" in written(everything)
        assert len(await road.events_of(door.place, HoldPlaced)) == 1


async def test_a_site_that_does_not_know_of_it_yet_is_told(
    road: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.hold.KNOWN_WITHIN_S", 0.0)
    workdir = Workdir(tmp_path / "work")
    async with opened(road, road.centre, "projector") as door:
        sites = (door.place.site, road.telescope.site)
        running = Running.here(door.place.deployment, sites, {door.place.site: SiteUrls(gateway=door.url)})
        with announced(workdir, running, door.place.credentials):
            shown, listed = paper(200), paper(300)
            assert await place(workdir, Named(instrument="camera"), "flat fields", console=shown) == 0
            assert f"{road.telescope.site} does not know of it yet" in written(shown)
            assert f"{road.centre.site} keeps its copies now" in written(shown)
            assert await show(workdir, console=listed) == 0
            assert f"not yet {road.telescope.site}" in written(listed)


REFUSED = [
    (Named(), "why", "scope_unclear"),
    (Named(location="a", instrument="camera"), "why", "scope_unclear"),
    (Named(location="nowhere"), "why", "unknown_location"),
    (Named(instrument="nobody"), "why", "unknown_instrument"),
    (Named(package=str(uuid4())), "why", "unknown_ids"),
    (Named(file="my-file"), "why", "id_invalid"),
    (Named(instrument="camera"), "  ", "reason_missing"),
]


async def test_what_would_hold_nothing_is_refused(road: Road, tmp_path: Path) -> None:
    async with up(road, tmp_path) as (door, workdir):
        for named, reason, code in REFUSED:
            with pytest.raises(UserError) as refused:
                await place(workdir, named, reason, console=paper())
            assert refused.value.problem.code == code
        assert await road.events_of(door.place, HoldPlaced) == []


async def test_what_is_no_hold_cannot_be_released(road: Road, tmp_path: Path) -> None:
    async with up(road, tmp_path) as (_, workdir):
        for hold, code in (("mine", "id_invalid"), (str(uuid4()), "unknown_hold")):
            with pytest.raises(UserError) as refused:
                await release(workdir, hold, "done", console=paper())
            assert refused.value.problem.code == code
