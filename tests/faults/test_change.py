"""Files are truncated, grown, replaced and renamed between scan and packaging."""

import pytest

from tests.faults.conftest import Play
from tests.faults.doing.changing import change
from tests.faults.load import Pace, Told
from tests.faults.scenario import check, loaded

pytestmark = [
    pytest.mark.faults,
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("embedded"),
]


async def test_files_change_between_scan_and_packaging(play: Play, *, long: bool) -> None:
    async with play("files changed between scan and packaging") as scene:
        async with loaded(scene, Pace(files=3, large=0.0, rest_s=2.0)):
            for told in (Told.NOTHING, Told.BOTH) * (6 if long else 1):
                await change(scene, told)
        await check(scene)
