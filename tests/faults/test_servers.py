"""NATS, PostgreSQL and S3 end and come back while everything works."""

import pytest

from tests.faults.conftest import Play
from tests.faults.doing.restarting import end_in_turn, end_some
from tests.faults.scenario import check, loaded

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("embedded"),
]


async def test_every_server_ends_in_every_way(play: Play, *, long: bool) -> None:
    async with play("NATS, PostgreSQL and S3 end") as scene:
        async with loaded(scene):
            await (end_in_turn(scene, 4) if long else end_some(scene))
        await check(scene)
