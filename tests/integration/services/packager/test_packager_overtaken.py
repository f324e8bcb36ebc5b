"""A packager that stood still when a package was about to get its name: killed there, or woken when all was done."""

from pathlib import Path

import pytest

from contracts.files import FilesPackaged, FilesRefused
from contracts.packages import PackageAbandoned, PackageArchived, PackageSealed
from tests.support.observing import Observation
from tests.support.pausing import archived, contents_said, files_in, hurried, rest_of_the_road, sleeper
from tests.support.road import Road

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]

BEHIND_THE_LAST_CHECK = "libs.storage.partials:Try.publish"


def buffers(road: Road) -> list[Path]:
    return [road.folder(f"{place.site}-buffer") for place in (road.telescope, road.centre)]


async def cleared(road: Road, observation: Observation, path: str) -> None:
    """Wait until package and file are in the archive alone, and no try is left, whoever's it was."""

    def nowhere_else() -> bool:
        left = [files_in(buffer) for buffer in buffers(road)]
        return left == [[], []] and not observation.on_disk(path).exists()

    await road.wait_for(road.centre, PackageArchived, within_s=90)
    await road.eventually(nowhere_else, within_s=60, what="the clearing")


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "woken"])
async def test_a_package_that_was_archived_and_cleared_does_not_come_back(
    road: Road, tmp_path: Path, *, killed: bool
) -> None:
    road = hurried(road)
    observation = Observation(road)
    async with (
        rest_of_the_road(road, "packager"),
        sleeper(
            road, road.telescope, "packager", tmp_path / "first", stops_at=BEHIND_THE_LAST_CHECK
        ) as first,
    ):
        (path,) = await observation.observe({"a.fits": b"a" * 100_000})
        await first.sleeps()
        assert await road.events_of(road.telescope, PackageSealed) == []
        [left] = files_in(buffers(road)[0])
        assert left.endswith(".partial")
        if killed:
            first.process.kill()
            await first.process.wait()
        async with road.running(road.telescope, "packager"):
            await cleared(road, observation, path)
        if not killed:
            await first.wakes_and_leaves_its_work()
        assert [files_in(buffer) for buffer in buffers(road)] == [[], []]
    await one_story(road)


async def one_story(road: Road) -> None:
    """Nobody said anything twice with another content, or took anything back."""
    assert len(await contents_said(road, road.telescope, PackageSealed)) == 1
    assert len(await contents_said(road, road.telescope, FilesPackaged)) == 1
    assert await road.events_of(road.telescope, FilesRefused) == []
    assert await road.events_of(road.telescope, PackageAbandoned) == []
    assert await road.letters(road.telescope) == []
    assert await road.letters(road.centre) == []
    keys, unfinished = await archived(road)
    assert len([key for key in keys if key.endswith(".tar")]) == 1
    assert unfinished == []
