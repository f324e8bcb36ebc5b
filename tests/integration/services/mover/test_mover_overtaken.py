"""A mover that was paused in the middle of a bundle, and woke when everything had been done without it."""

import asyncio
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.packages import PackageArchived, PackageCorrupted
from contracts.transfers import TransferCompleted, TransferFailed, TransferStarted
from libs.sites.units import Size
from tests.support.archived import Package, sealed
from tests.support.pausing import (
    archived,
    contents_said,
    files_in,
    hurried,
    instance,
    pause,
    rest_of_the_road,
    wake,
)
from tests.support.road import Road

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

MIB = 1 << 20
LARGE = 70 * MIB
"""Two chunks: the small one is journalled long before the other one is there."""


def on_a_slow_way(road: Road, rate: int) -> Road:
    """The same road with a limited route, on which work is taken soon from who makes no sign."""
    road = hurried(road)
    deployment = road.telescope.deployment
    routes = {
        name: route.model_copy(update={"rate_limit": Size(rate)}) for name, route in deployment.routes.items()
    }
    deployment = deployment.model_copy(update={"routes": routes})
    return replace(
        road,
        telescope=replace(road.telescope, deployment=deployment),
        centre=replace(road.centre, deployment=deployment),
    )


def journalled(package: Package) -> bool:
    """Whether a chunk of a package is noted as moved: something follows the journal's first line."""
    journals = package.at_centre.parent.glob(".*.partial.journal")
    return any(path.read_bytes().partition(b"\n")[2] for path in journals)


async def nowhere_but_in_the_archive(road: Road, package: Package) -> None:
    """Wait until a package is archived and cleared from both buffers."""
    await road.wait_for(road.centre, PackageArchived, within_s=90)
    await road.eventually(
        lambda: not (package.at_centre.exists() or package.at_telescope.exists()),
        within_s=60,
        what="the clearing",
    )


async def one_story(road: Road, packages: int) -> None:
    """Nobody said anything twice with another content, or took anything back."""
    assert len(await contents_said(road, road.telescope, TransferStarted)) == packages
    completed = await road.events_of(road.telescope, TransferCompleted)
    assert len({event.transfer_id for event in completed}) == packages
    assert await road.events_of(road.telescope, TransferFailed) == []
    assert await road.events_of(road.centre, PackageCorrupted) == []
    assert await road.letters(road.telescope) == []
    assert await road.letters(road.centre) == []
    keys, unfinished = await archived(road)
    assert len([key for key in keys if key.endswith(".tar")]) == packages
    assert unfinished == []


async def test_a_package_that_was_archived_and_cleared_does_not_come_back(road: Road, tmp_path: Path) -> None:
    road = on_a_slow_way(road, 14 * MIB)
    centre = road.folder(f"{road.centre.site}-buffer")
    async with (
        rest_of_the_road(road, "packager", "mover"),
        instance(road, road.telescope, "mover", tmp_path / "first") as first,
    ):
        package = await sealed(road, {"large.fits": bytes(LARGE)})
        await road.eventually(lambda: journalled(package), within_s=60, what="a chunk")
        pause(first)
        assert await road.events_of(road.telescope, TransferCompleted) == []
        async with instance(road, road.telescope, "mover", tmp_path / "second"):
            await road.wait_for(road.telescope, TransferCompleted, within_s=60)
            await nowhere_but_in_the_archive(road, package)
        assert files_in(centre) == [], "no try is left of the paused one"
        wake(first)
        small = await sealed(road, {"small.fits": b"x" * 1000})
        await road.wait_for(road.telescope, TransferCompleted, count=2, within_s=60)
        await road.wait_for(road.centre, PackageArchived, count=2, within_s=60)
        await road.eventually(lambda: not small.at_centre.exists(), what="the clearing")
        assert files_in(centre) == []
    await one_story(road, packages=2)


async def test_a_killed_mover_is_followed_on_its_machine(road: Road, tmp_path: Path) -> None:
    road = on_a_slow_way(road, 14 * MIB)
    async with rest_of_the_road(road, "packager", "mover"):
        async with instance(road, road.telescope, "mover", tmp_path / "first") as first:
            package = await sealed(road, {"large.fits": bytes(LARGE)})
            await road.eventually(lambda: journalled(package), within_s=60, what="a chunk")
            first.send_signal(signal.SIGKILL)
            await first.wait()
        async with instance(road, road.telescope, "mover", tmp_path / "second"):
            await road.wait_for(road.telescope, TransferCompleted, within_s=60)
            await nowhere_but_in_the_archive(road, package)
        assert await asyncio.to_thread(files_in, road.folder(f"{road.centre.site}-buffer")) == []
    await one_story(road, packages=1)
