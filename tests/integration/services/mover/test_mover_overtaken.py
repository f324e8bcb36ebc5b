"""A mover that stood still in the middle of a bundle: killed there, or woken when all was done without it."""

import os
from pathlib import Path

import pytest

from contracts.packages import PackageArchived, PackageCorrupted
from contracts.transfers import TransferCompleted, TransferFailed, TransferStarted
from tests.support.archived import Package, sealed
from tests.support.pausing import archived, contents_said, files_in, hurried, rest_of_the_road, sleeper
from tests.support.road import Road

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]

TWO_CHUNKS = 65 << 20
WHEN_A_CHUNK_IS_THERE = "libs.transfer.partial:Partial.record"
BEHIND_THE_LAST_CHECK = "libs.transfer.partial:Partial.publish"


async def nowhere_but_in_the_archive(road: Road, package: Package) -> None:
    """Wait until a package is archived and cleared from both buffers, and no try is left, whoever's it was."""
    centre = road.folder(f"{road.centre.site}-buffer")
    await road.wait_for(road.centre, PackageArchived, within_s=90)
    await road.eventually(
        lambda: files_in(centre) == [] and not package.at_telescope.exists(),
        within_s=60,
        what="the clearing",
    )


async def one_story(road: Road) -> None:
    """Nobody said anything twice with another content, or took anything back."""
    assert len(await contents_said(road, road.telescope, TransferStarted)) == 1
    completed = await road.events_of(road.telescope, TransferCompleted)
    assert len({event.transfer_id for event in completed}) == 1
    assert await road.events_of(road.telescope, TransferFailed) == []
    assert await road.events_of(road.centre, PackageCorrupted) == []
    assert await road.letters(road.telescope) == []
    assert await road.letters(road.centre) == []
    keys, unfinished = await archived(road)
    assert len([key for key in keys if key.endswith(".tar")]) == 1
    assert unfinished == []


@pytest.mark.parametrize(
    ("killed", "size", "where"),
    [(True, TWO_CHUNKS, WHEN_A_CHUNK_IS_THERE), (False, 1000, BEHIND_THE_LAST_CHECK)],
    ids=["killed", "woken"],
)
async def test_a_package_that_was_archived_and_cleared_does_not_come_back(
    road: Road, tmp_path: Path, *, killed: bool, size: int, where: str
) -> None:
    road = hurried(road)
    centre = road.folder(f"{road.centre.site}-buffer")
    async with (
        rest_of_the_road(road, "packager", "mover"),
        sleeper(road, road.telescope, "mover", tmp_path / "first", stops_at=where) as first,
    ):
        package = await sealed(road, {"a.fits": os.urandom(size)})
        await first.sleeps()
        assert await road.events_of(road.telescope, TransferCompleted) == []
        assert [name for name in files_in(centre) if name.endswith(".partial")]
        if killed:
            first.process.kill()
            await first.process.wait()
        async with road.running(road.telescope, "mover"):
            await nowhere_but_in_the_archive(road, package)
        if not killed:
            await first.wakes_and_leaves_its_work()
        assert files_in(centre) == []
    await one_story(road)
