"""The sweep: the oldest first, no more than a full disk needs, and no more read than it takes."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from contracts.copies import CopyDeleted
from contracts.subjects import pressure_bucket
from libs.service.ticking import ticking
from libs.sites.retention import Retention
from libs.storage.disk import Space
from services.janitor import sweeping
from services.janitor.due import Walk
from services.janitor.marks import Marks
from tests.integration.services.janitor.test_clearing import applied, with_retention
from tests.support.archived import Package, sealed
from tests.support.road import Road

pytestmark = pytest.mark.integration


SIZE = 1100


def small_disk(root: Path) -> Callable[[Path], Space]:
    """A small disk, on which nothing is but the instrument's files."""

    def measured(folder: Path) -> Space:
        there = (
            sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) if folder == root else 0
        )
        return Space(total=SIZE, free=SIZE - there)

    return measured


async def test_a_full_disk_is_cleared_down_to_low_water_the_oldest_first_by_one_janitor_or_two(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second goes on where the first was stopped: between the two marks, where nobody begins anew."""
    monkeypatch.setattr("services.janitor.app.SWEEP_EVERY_S", 0.3)
    monkeypatch.setattr("services.janitor.app.ticking", partial(ticking, rest=1.0))
    packages = [await sealed(road, {f"{n}.fits": b"x" * 100}) for n in range(10)]
    source = f"{road.telescope.site}-source"
    monkeypatch.setattr(sweeping, "measure_space", small_disk(road.telescope.disk(source).path))
    kept = with_retention(road.telescope, source, keep_for="1d", high_water=0.9, low_water=0.5)
    async with road.running(road.telescope, "projector"):
        for package in packages[:2]:
            await package.archive()
            await applied(road, package)
        async with road.running(kept, "janitor"):
            # 1000 of 1100 bytes were in use, and are 800 when all that may go has gone.
            await road.eventually(lambda: _told(road, source, 2), within_s=60)
        for package in packages[2:]:
            await package.archive()
            await applied(road, package)
        async with road.running(kept, "janitor"):
            await road.eventually(lambda: _told(road, source, 5), within_s=60)
    # Five packages less are below half of it.
    assert [package.at_source[0].exists() for package in packages] == [False] * 5 + [True] * 5


async def test_every_instance_knows_what_the_last_one_decided(road: Road) -> None:
    """Whoever had the lease, and whether or not the bucket could be reached just then."""
    marks = Retention.model_validate({"keep_for": "1d", "high_water": 0.9, "low_water": 0.5})
    client, site = road.client(road.telescope), road.telescope.site
    full, between, empty = (Space(total=100, free=free) for free in (5, 30, 70))
    first, second = Marks(client, site), Marks(client, site)
    assert not (await first.recall("buffer")).pressed
    assert not await first.look("buffer", between, marks)
    assert await first.look("buffer", full, marks)
    assert not await second.look("buffer", between, marks)
    told = await second.recall("buffer")
    assert (told.pressed, told.used) == (True, 0.95)
    assert await second.look("buffer", between, marks)
    assert not await second.look("buffer", empty, marks)
    # The first was paused; what it remembers is nothing that it may write now.
    assert not await first.look("buffer", empty, marks)
    assert not (await first.recall("buffer")).pressed
    assert not await first.look("buffer", between, marks)
    js = client.jetstream()
    await js.delete_key_value(pressure_bucket(site))
    assert await first.look("buffer", full, marks)
    assert (await first.recall("buffer")).pressed
    assert await first.look("buffer", between, marks)


async def test_a_walk_reads_a_page_where_a_page_will_do(road: Road) -> None:
    packages = [await sealed(road, {f"{n}-{m}.fits": b"x" for m in range(4)}) for n in range(5)]
    source = f"{road.telescope.site}-source"
    async with road.running(road.telescope, "projector"):
        for package in packages:
            await package.archive()
            await applied(road, package)
        reading = Reading(road)
        walk, later = Walk(reading, source, size=4), datetime.now(UTC) + timedelta(days=1)
        assert (await walk.due(later, (), 1, young=False)).old == [packages[0].id]
        assert reading.rows == 4
        but = {packages[0].id, packages[1].id}
        assert (await walk.due(later, but, 2, young=False)).old == [packages[2].id, packages[3].id]
        assert (await walk.due(datetime.min.replace(tzinfo=UTC), (), 9, young=False)).old == []
        young = await walk.due(datetime.min.replace(tzinfo=UTC), (), 2, young=True)
        assert (young.old, young.young) == ([], [packages[0].id, packages[1].id])


async def test_a_walk_goes_on_behind_what_stays(road: Road) -> None:
    packages = [await sealed(road, {f"{n}.fits": b"x"}) for n in range(4)]
    source = f"{road.telescope.site}-source"
    async with road.running(road.telescope, "projector"):
        for package in packages[2:]:
            await package.archive()
            await applied(road, package)
        walk, later = Walk(Reading(road), source, size=1, most=2), datetime.now(UTC) + timedelta(days=1)
        found = [(await walk.due(later, (), 9, young=False)).old for _ in range(4)]
    # Two copies a sweep: those of no archived package, the two archived ones, the end, and from the beginning again.
    assert found == [[], [packages[2].id, packages[3].id], [], []]


class Reading:
    """Asks the telescope's ops-db, and counts the rows."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self.rows = 0

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        rows = await self._road.query(self._road.telescope, query, *arguments)
        self.rows += len(rows)
        return rows


def _there(packages: Sequence[Package]) -> int:
    return sum(package.at_source[0].exists() for package in packages)


async def _told(road: Road, location: str, count: int) -> bool:
    deleted = [e for e in await road.events_of(road.telescope, CopyDeleted) if e.location == location]
    return sum(len(event.copies) for event in deleted) == count
