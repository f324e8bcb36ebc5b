"""Services are stopped until long after their claims and leases are over, and go on."""

import pytest

from tests.faults.conftest import Play
from tests.faults.doing.pausing import ALONE, pause, second_instances
from tests.faults.scenario import check, loaded

pytestmark = [
    pytest.mark.long,
    pytest.mark.faults,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("embedded"),
]


async def test_services_are_paused_beyond_their_leases(play: Play, *, long: bool) -> None:
    async with play("SIGSTOP beyond the lease, SIGCONT") as scene:
        several = [name for name in scene.system.names if name.split("@")[0] not in ALONE]
        for _ in range(12 if long else 1):
            followed = scene.rng.sample(several, 3)
            alone = scene.rng.sample([name for name in scene.system.names if name not in followed], 2)
            async with loaded(scene), second_instances(scene, followed):
                await pause(scene, [*followed, *alone])
        await check(scene)
