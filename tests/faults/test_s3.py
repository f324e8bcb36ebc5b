"""S3 errors, silences, resets, cut and changed bytes, lost answers: while everything works."""

import pytest

from tests.faults.conftest import PlayBetween
from tests.faults.doing.disturbing import disturb
from tests.faults.scenario import check, loaded
from tests.support.s3_proxy import Fault

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("between"),
]

BEYOND_PATIENCE_S = 70.0
"""Longer than a client waits for an answer."""


async def test_s3_does_whatever_servers_and_networks_do(play_between: PlayBetween, *, long: bool) -> None:
    async with play_between("S3 errors, silences, resets, cut, flipped and lost answers") as (scene, between):
        async with loaded(scene):
            await disturb(scene, between.s3, list(Fault), 180 if long else 12)
            if long:
                between.s3.patience_s = BEYOND_PATIENCE_S
                await disturb(scene, between.s3, (Fault.SILENT, Fault.STALLED), BEYOND_PATIENCE_S)
        between.s3.patience_s = 2.0
        assert {fault for fault, _ in between.s3.happened} == {*Fault}
        await check(scene)
