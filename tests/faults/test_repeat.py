"""Events that are said again, and everything that is heard again: nothing is done twice."""

import pytest

from tests.faults.conftest import Play
from tests.faults.doing.repeating import hear_again, say_again
from tests.faults.scenario import check, loaded

pytestmark = [
    pytest.mark.faults,
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("embedded"),
]


async def test_everything_is_said_and_heard_again(play: Play, *, long: bool) -> None:
    async with play("events said again, everything heard again") as scene:
        for _ in range(10 if long else 1):
            async with loaded(scene):
                await scene.chronicle.until(lambda: len(scene.chronicle.archived) > 5, "some packages")
                await say_again(scene, 100 if long else 40)
                await hear_again(scene)
                await say_again(scene, 100 if long else 40)
        await check(scene)
