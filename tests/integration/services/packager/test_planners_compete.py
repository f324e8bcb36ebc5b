"""Two planners, each interrupted by the other at the worst moment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from contracts.base import Event
from contracts.files import FilesAssigned
from contracts.packages import PackageAbandoned, PackagePlanned
from contracts.problems import Problem
from contracts.subjects import events_stream
from libs.bus.guard import Guard
from libs.opsdb.reader import OpsDbReader
from services.packager import assigning
from services.packager.assigning import Planner
from tests.support.observing import Observation
from tests.support.road import Road

pytestmark = pytest.mark.integration


class Interrupted(Guard):
    """Lets somebody else act right before the n-th event of a plan is stored."""

    before = 1
    published = 0
    interruption: Callable[[], Awaitable[None]] | None = None

    async def publish(self, event: Event, *, after: int, causation_id: str | None) -> int:
        self.published += 1
        if self.interruption is not None and self.published == self.before:
            interrupt, self.interruption = self.interruption, None
            await interrupt()
        return await super().publish(event, after=after, causation_id=causation_id)


@asynccontextmanager
async def planners(
    road: Road, *, max_files: int = 1000
) -> AsyncIterator[tuple[Planner, Interrupted, Planner]]:
    """A planner that can be interrupted, its guard, and its rival."""
    place = road.telescope
    camera = place.deployment.instruments["camera"].model_copy(update={"max_files": max_files})
    deployment = place.deployment.model_copy(update={"instruments": {"camera": camera}})
    client, publisher = road.client(place), road.publisher(place, "packager")
    async with OpsDbReader.open(place.opsdb_dsn()) as opsdb:
        guard = Interrupted(client, publisher, site=place.site, event=FilesAssigned)
        first, rival = (
            Planner(
                opsdb=opsdb,
                publisher=publisher,
                assigned=assigned,
                planned=Guard(client, publisher, site=place.site, event=PackagePlanned),
                deployment=deployment,
                site=place.site,
            )
            for assigned in (
                guard,
                Guard(client, publisher, site=place.site, event=FilesAssigned),
            )
        )
        await opsdb.wait_applied(events_stream(place.site), await last_sequence(road))
        yield first, guard, rival


async def last_sequence(road: Road) -> int:
    js = road.client(road.telescope).jetstream()
    return (await js.stream_info(events_stream(road.telescope.site))).state.last_seq


async def files_by_package(road: Road) -> dict[UUID, int]:
    rows = await road.query(
        road.telescope,
        "SELECT raw_data_package_id AS package, count(*) AS files FROM raw_data_file WHERE state = 'planned'"
        " GROUP BY 1",
    )
    return {row["package"]: row["files"] for row in rows}


async def settled(road: Road, total: int) -> None:
    """Every file is planned, in packages that were announced with just as many files."""

    async def all_planned() -> bool:
        return sum((await files_by_package(road)).values()) == total

    await road.eventually(all_planned, what="all files planned")
    planned = await road.events_of(road.telescope, PackagePlanned)
    by_package = await files_by_package(road)
    assert all(one.file_count == by_package[one.package_id] for one in planned)
    assert {one.package_id for one in planned} == by_package.keys()
    owners: dict[UUID, UUID] = {}
    for event in await road.events_of(road.telescope, FilesAssigned):
        for file in event.file_ids:
            assert owners.setdefault(file, event.package_id) == event.package_id


async def forget_ids_soon(road: Road) -> None:
    """Let the stream know an id no longer than a tenth of a second, as if a planner had stalled for minutes."""
    js = road.client(road.telescope).jetstream()
    config = (await js.stream_info(events_stream(road.telescope.site))).config
    config.duplicate_window = 0.1
    await js.update_stream(config)


@pytest.mark.parametrize("before", [1, 2, 3])
@pytest.mark.parametrize("stalled", [False, True])
async def test_a_rival_in_the_middle_of_a_plan_takes_no_file_twice(
    road: Road, monkeypatch: pytest.MonkeyPatch, *, before: int, stalled: bool
) -> None:
    monkeypatch.setattr(assigning, "PART_IDS", 2)
    observation = Observation(road)
    await observation.observe({f"{n}.fits": b"x" for n in range(6)})
    async with road.running(road.telescope, "projector"), planners(road) as (planner, guard, rival):

        async def interrupt() -> None:
            await rival.plan(observation.unit, "rival")
            await asyncio.sleep(0.5 if stalled else 0)

        if stalled:
            await forget_ids_soon(road)
        guard.before = before
        guard.interruption = interrupt
        await planner.plan(observation.unit, "first")
        await settled(road, 6)


async def test_a_slow_planner_adds_nothing_to_a_package_that_a_rival_announced(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assigning, "PART_IDS", 2)
    observation = Observation(road)
    await observation.start()
    await observation.scan(await observation.file({f"{n}.fits": b"x" for n in range(6)}))
    async with (
        road.running(road.telescope, "projector"),
        planners(road, max_files=6) as (planner, guard, rival),
    ):

        async def interrupt() -> None:
            await rival.plan(observation.unit, "rival")
            await asyncio.sleep(0.5)

        await forget_ids_soon(road)
        guard.before, guard.interruption = 2, interrupt
        await planner.plan(observation.unit, "first")
        await settled(road, 2)


async def test_a_rival_that_knew_more_wins(road: Road) -> None:
    observation = Observation(road)
    await observation.start()
    early = await observation.file({f"{n}.fits": b"x" for n in range(3)})
    await observation.scan(early)
    await observation.finish()
    async with road.running(road.telescope, "projector"), planners(road) as (planner, guard, rival):

        async def know_more() -> None:
            await observation.scan(await observation.file({"late.fits": b"late"}))
            async with OpsDbReader.open(road.telescope.opsdb_dsn()) as opsdb:
                await opsdb.wait_applied(events_stream(road.telescope.site), await last_sequence(road))
            await rival.plan(observation.unit, "rival")

        guard.interruption = know_more
        await planner.plan(observation.unit, "first")
        await settled(road, 4)
    (planned,) = await road.events_of(road.telescope, PackagePlanned)
    assert planned.file_count == 4


async def test_planning_again_plans_nothing_more(road: Road) -> None:
    observation = Observation(road)
    await observation.observe({f"{n}.fits": b"x" for n in range(3)})
    async with road.running(road.telescope, "projector"), planners(road) as (planner, _, rival):
        for each in (planner, rival, planner):
            await each.plan(observation.unit, "again")
        await settled(road, 3)
    assert len(await road.events_of(road.telescope, PackagePlanned)) == 1


async def test_a_file_left_behind_by_an_abandoned_package_is_planned(road: Road) -> None:
    observation = Observation(road)
    paths = await observation.observe({f"{n}.fits": b"x" for n in range(3)})
    ids = [observation.files[path].file_id for path in paths]
    async with road.running(road.telescope, "projector"), planners(road) as (planner, _, _rival):
        await planner.plan(observation.unit, "first")
        (planned,) = await road.events_of(road.telescope, PackagePlanned)
        problem = Problem(code="files_refused", reason="r", remedy="r")
        abandoned = PackageAbandoned(
            package_id=planned.package_id, executed_obs_unit_id=observation.unit, problem=problem
        )
        late = FilesAssigned(
            package_id=planned.package_id,
            executed_obs_unit_id=observation.unit,
            file_ids=(ids[0],),
            part=2,
            parts=2,
        )
        for event in (abandoned, late):
            await observation.publisher.publish([event])
        await planner.plan(observation.unit, "again")
        _, second = await road.wait_for(road.telescope, PackagePlanned, count=2)
    assert (second.number, second.file_count) == (2, 3)
