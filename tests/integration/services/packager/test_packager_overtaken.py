"""A packager that was paused in the middle of a package, and woke when everything had been done without it."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from contracts.copies import CopyDeleted
from contracts.files import FilesPackaged, FilesRefused
from contracts.packages import PackageAbandoned, PackageArchived, PackageSealed
from tests.support.observing import Observation
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

LARGE = 150_000_000


async def observe_large(observation: Observation) -> str:
    """An observation of one large file (with holes, so that it costs no disk)."""
    await observation.start()
    (path,) = await observation.file({"large.fits": b"SIMPLE"})
    os.truncate(observation.on_disk(path), LARGE)
    await observation.scan([path])
    await observation.finish()
    return path


def buffers(road: Road) -> list[Path]:
    return [road.folder(f"{place.site}-buffer") for place in (road.telescope, road.centre)]


async def growing(road: Road) -> None:
    """Wait until a package is being written."""
    buffer, _ = buffers(road)

    def grown() -> bool:
        return any(path.stat().st_size > 8_000_000 for path in buffer.rglob(".*.partial"))

    await road.eventually(grown, what="a package being written")


async def cleared(road: Road, observation: Observation, path: str) -> None:
    """Wait until package and file are in the archive alone."""

    def nowhere_else() -> bool:
        left = [*files_in(buffers(road)[0]), *files_in(buffers(road)[1])]
        return (
            not [name for name in left if not name.endswith(".partial")]
            and not observation.on_disk(path).exists()
        )

    await road.wait_for(road.centre, PackageArchived, within_s=90)
    await road.eventually(nowhere_else, within_s=60, what="the clearing")


async def test_a_package_that_was_archived_and_cleared_does_not_come_back(road: Road, tmp_path: Path) -> None:
    road = hurried(road)
    observation = Observation(road)
    path = await observe_large(observation)
    async with (
        rest_of_the_road(road, "packager"),
        instance(road, road.telescope, "packager", tmp_path / "first") as first,
    ):
        await growing(road)
        pause(first)
        assert await road.events_of(road.telescope, PackageSealed) == []
        async with instance(road, road.telescope, "packager", tmp_path / "second"):
            await road.wait_for(road.telescope, PackageSealed, within_s=60)
            await cleared(road, observation, path)
        assert [files_in(buffer) for buffer in buffers(road)] == [[], []], "no try is left of the paused one"
        wake(first)
        await works_again(road)
        assert [files_in(buffer) for buffer in buffers(road)] == [[], []]
    await one_story(road, packages=2)


async def works_again(road: Road) -> None:
    """The one packager there is packs something else: it is through with what it had in hand before."""
    before = len(await road.events_of(road.telescope, PackageSealed))
    gone = len(await road.events_of(road.telescope, CopyDeleted))
    await Observation(road).observe({"small.fits": b"x" * 1000})
    await road.wait_for(road.telescope, PackageSealed, count=before + 1, within_s=60)
    await road.wait_for(road.centre, PackageArchived, count=before + 1, within_s=60)
    await road.wait_for(road.telescope, CopyDeleted, count=gone + 2, within_s=60)
    # What was deleted before may have been said only after `gone` was counted: the folders themselves decide.
    await road.eventually(
        lambda: [files_in(buffer) for buffer in buffers(road)] == [[], []], within_s=60, what="the clearing"
    )


async def one_story(road: Road, packages: int) -> None:
    """Nobody said anything twice with another content, or took anything back."""
    assert len(await contents_said(road, road.telescope, PackageSealed)) == packages
    assert len(await contents_said(road, road.telescope, FilesPackaged)) == packages
    assert await road.events_of(road.telescope, FilesRefused) == []
    assert await road.events_of(road.telescope, PackageAbandoned) == []
    assert await road.letters(road.telescope) == []
    assert await road.letters(road.centre) == []
    keys, unfinished = await archived(road)
    assert len([key for key in keys if key.endswith(".tar")]) == packages
    assert unfinished == []


async def test_a_killed_packager_is_followed_on_its_machine(road: Road, tmp_path: Path) -> None:
    road = hurried(road)
    observation = Observation(road)
    path = await observe_large(observation)
    async with rest_of_the_road(road, "packager"):
        async with (
            instance(road, road.telescope, "packager", tmp_path / "first") as first,
            instance(road, road.telescope, "packager", tmp_path / "second") as second,
        ):
            await growing(road)
            busy = first if await is_busier(first, second) else second
            busy.send_signal(signal.SIGKILL)
            await busy.wait()
            await road.wait_for(road.telescope, PackageSealed, within_s=60)
            await cleared(road, observation, path)
        assert [files_in(buffer) for buffer in buffers(road)] == [[], []]
    await one_story(road, packages=1)


async def is_busier(one: asyncio.subprocess.Process, other: asyncio.subprocess.Process) -> bool:
    """Whether one of two processes holds a partial file open."""

    def holds(process: asyncio.subprocess.Process) -> bool:
        links = Path(f"/proc/{process.pid}/fd").iterdir()
        return any(link.readlink().suffix == ".partial" for link in links if link.is_symlink())

    return await asyncio.to_thread(lambda: holds(one) and not holds(other))
