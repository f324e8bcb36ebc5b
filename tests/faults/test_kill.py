"""kill -9 of services while they work: each in turn, and two at once."""

import pytest

from tests.faults.conftest import Play
from tests.faults.doing.killing import kill_in_turn, kill_pairs
from tests.faults.scenario import check, loaded

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("embedded"),
]


async def test_each_service_is_killed_in_turn(play: Play, *, long: bool) -> None:
    async with play("kill -9 of each service in turn") as scene:
        async with loaded(scene):
            await kill_in_turn(scene, 200 if long else 10)
        await check(scene)


@pytest.mark.long
async def test_two_services_are_killed_at_once(play: Play, *, long: bool) -> None:
    async with play("kill -9 of two services at once") as scene:
        async with loaded(scene):
            await kill_pairs(scene, 30 if long else 4)
        await check(scene)
