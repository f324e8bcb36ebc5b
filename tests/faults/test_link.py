"""A site that is cut off goes on filing, scanning, packaging and bundling, and catches up by itself."""

import pytest

from tests.faults.conftest import PlayBetween
from tests.faults.doing.cutting import cut
from tests.faults.load import Pace
from tests.faults.scenario import check, loaded
from tests.support.link import State

pytestmark = [
    pytest.mark.faults,
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("between"),
]


async def test_the_link_is_cut_and_healed(play_between: PlayBetween, *, long: bool) -> None:
    async with play_between("the link between the sites is cut") as (scene, between):
        async with loaded(scene, Pace(files=4, large=0.05, most_open=15)):
            for how in (State.SILENT, State.RESET) * (3 if long else 1):
                await cut(scene, between.link, how, scene.rng.uniform(20, 60) if long else 3)
        await check(scene)
