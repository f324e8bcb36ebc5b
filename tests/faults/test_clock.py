"""The clock is set back an hour, and on again, while everything works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.packages import PackageArchived
from tests.faults import deployment
from tests.faults.clock import REREAD_S, Clock
from tests.faults.conftest import NewReport
from tests.faults.doing.filling import goes_on
from tests.faults.scenario import Scene, check, loaded, playing, set_up
from tests.faults.system import standing

pytestmark = [
    pytest.mark.long,
    pytest.mark.faults,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("between"),
]

HOUR_S = 3600
ALMOST = timedelta(minutes=55)


@asynccontextmanager
async def scene_with(clock: Clock, folder: Path, new_report: NewReport) -> AsyncIterator[Scene]:
    """A stage of its own: its processes are born with the clock."""
    config = deployment.write(folder)
    async with (
        standing(folder / "work", config, clock.environment()) as system,
        set_up(system) as stage,
        playing(stage, new_report("the clock is set back an hour")) as scene,
    ):
        yield scene


async def test_the_clock_is_set_back_an_hour(tmp_path: Path, new_report: NewReport, *, long: bool) -> None:
    clock = Clock(tmp_path / "clock")
    clock.shift(0)
    async with scene_with(clock, tmp_path, new_report) as scene:
        async with loaded(scene):
            for shift in (-HOUR_S, 0) * (5 if long else 1):
                await goes_on(scene, PackageArchived)
                clock.shift(shift)
                scene.did(f"the clock is set to {shift:+d} s")
                await asyncio.sleep(2 * REREAD_S)
                await goes_on(scene, PackageArchived)
        assert were_told_an_hour_early(scene)
        await check(scene)


def were_told_an_hour_early(scene: Scene) -> bool:
    """Whether services said events with a time long before the stream, by the right clock, stored them."""
    return any(
        entry.time - entry.envelope.time > ALMOST
        for entries in scene.chronicle.entries.values()
        for entry in entries
    )
