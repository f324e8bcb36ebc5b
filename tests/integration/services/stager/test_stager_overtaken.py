"""A stager that was stopped when a package was about to find its place, and woke when all was done and cleared."""

from pathlib import Path

import pytest

from contracts.staging import ReleaseReason, Selection, StagingCompleted, StagingReleased, StagingRequested
from tests.integration.services.stager.test_staging import ask, expected, request, tree
from tests.support.archived import sealed
from tests.support.pausing import hurried, sleeper
from tests.support.road import Road

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]


async def test_who_wakes_brings_nothing_back_and_held_nobody_up(road: Road, tmp_path: Path) -> None:
    road = hurried(road)
    centre = road.centre
    package = await sealed(road, {"a.fits": b"a" * 1000, "b.fits": b"b"})
    wanted = [request(road, Selection(package_ids=(package.id,))) for _ in range(2)]
    staging = road.folder(f"{centre.site}-processing") / "staging"

    def in_staging() -> list[str]:
        return sorted(path.name for path in staging.iterdir())

    async with (
        road.running(centre, "projector", "janitor"),
        sleeper(
            road, centre, "stager", tmp_path / "first", stops_at="libs.packaging.unpacking:place"
        ) as first,
    ):
        await package.archive()
        folders = [await ask(road, wanted[0])]
        await first.sleeps()
        assert [path.suffix for path in staging.iterdir()] == [".partial"]
        async with road.running(centre, "stager"):
            folders.append(await ask(road, wanted[1]))
            await road.wait_for(centre, StagingCompleted, count=2, within_s=60)
            assert [tree(folder) for folder in folders] == [expected(package)] * 2
            await give_back(road, wanted[0])
            await road.eventually(
                lambda: in_staging() == [folders[1].name], what="the clearing, of tries, too"
            )
        await first.wakes_and_leaves_its_work()
    assert in_staging() == [folders[1].name]
    said = [event.job_id for event in await road.events_of(centre, StagingCompleted)]
    assert sorted(said) == sorted(one.job_id for one in wanted), "nothing is said twice"
    assert await road.letters(centre) == []


async def give_back(road: Road, job: StagingRequested) -> None:
    released = StagingReleased(
        job_id=job.job_id, location=job.location, folder=job.folder, reason=ReleaseReason.RELEASED
    )
    await road.publisher(road.centre, "gateway").publish([released])
