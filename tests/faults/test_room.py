"""Full disks, in the short form two of them: work waits there without loss, goes on elsewhere, and catches up when there is room."""

import random

import pytest

from contracts.base import Event
from contracts.packages import PackageArchived, PackageSealed, PackageStaged
from contracts.transfers import TransferCompleted
from tests.faults.conftest import PlayBetween
from tests.faults.deployment import CENTRE_BUFFER, PROCESSING, TELESCOPE_BUFFER
from tests.faults.doing.filling import full, goes_on, waits
from tests.faults.load import Pace
from tests.faults.outside import OBJECTS
from tests.faults.scenario import check, loaded

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("between"),
]

PLACES: dict[str, tuple[str, str, type[Event]]] = {
    TELESCOPE_BUFFER: ("packager@chile", "disk_full", PackageStaged),
    CENTRE_BUFFER: ("mover@chile", "disk_full", PackageSealed),
    PROCESSING: ("stager@cologne", "disk_full", PackageArchived),
    OBJECTS: ("archiver@cologne", "redelivered", TransferCompleted),
}
"""Who has to wait for a place, a word it says of that, and what goes on meanwhile."""


def chosen(rng: random.Random, rounds: int, places: int) -> list[str]:
    """So many of the places in each round, in a shuffled order."""
    return [name for _ in range(rounds) for name in rng.sample([*PLACES], places)]


async def test_every_place_runs_full(play_between: PlayBetween, *, long: bool) -> None:
    async with play_between("full disks: BUFFER at both sites, PROCESSING, the S3 store") as (scene, between):
        async with loaded(scene, Pace(files=4, large=0.05, most_open=12)):
            for name in chosen(scene.rng, 5 if long else 1, len(PLACES) if long else 2):
                who, code, meanwhile = PLACES[name]
                async with full(scene, name, between.rooms[name]):
                    await waits(scene, who, code)
                    await goes_on(scene, meanwhile, 10 if long else 2)
                await goes_on(scene, PackageArchived)
        await check(scene)
