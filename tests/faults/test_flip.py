"""A bit turned at every station, in the short form at some by chance: found, told, and mended."""

import pytest

from tests.faults.conftest import Play
from tests.faults.doing.flipping import (
    flip_before_upload,
    flip_in_buffer,
    flip_in_source,
    flip_in_transit,
    flip_on_arrival,
)
from tests.faults.doing.flipping_staged import flip_in_staging
from tests.faults.load import Pace
from tests.faults.scenario import check, loaded

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("embedded"),
]

STATIONS = (
    flip_in_source,
    flip_in_buffer,
    flip_in_transit,
    flip_on_arrival,
    flip_before_upload,
    flip_in_staging,
)


async def test_a_bit_is_turned_at_every_station(play: Play, *, long: bool) -> None:
    async with play("a bit turned at every station") as scene:
        async with loaded(scene, Pace(files=3, large=0.0, rest_s=2.0)):
            for _ in range(8 if long else 1):
                for flip in scene.rng.sample(STATIONS, len(STATIONS) if long else 3):
                    await flip(scene)
        await check(scene)
