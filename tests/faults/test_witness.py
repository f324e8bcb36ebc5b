"""The checks themselves: whatever is broken on purpose, the check for it says so."""

import os
import signal

import pytest

from tests.faults.checks.everything import ALWAYS, UNREST
from tests.faults.conftest import Play
from tests.faults.doing.flipping import observed
from tests.faults.doing.planting import plant, stop_and_hear, stop_and_kill, stop_and_say
from tests.faults.scenario import Scene, check

pytestmark = [
    pytest.mark.long,
    pytest.mark.faults,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("embedded"),
]

CHECKS = {**UNREST, **ALWAYS}
PASSING = ("every service runs", "ops-db has applied the log", "every handler has settled what it heard")
"""Violations that mend themselves: each is looked at while it lasts."""


async def silent(scene: Scene, names: tuple[str, ...]) -> list[str]:
    """The checks of these that find nothing."""
    return [name for name in names if not await CHECKS[name](scene.stage.world)]


async def test_every_check_finds_what_is_broken(play: Play) -> None:
    async with play("everything that is checked, broken on purpose") as scene:
        await observed(scene)
        await check(scene)
        for stop, name in zip((stop_and_kill, stop_and_say, stop_and_hear), PASSING, strict=True):
            pid = await stop(scene)
            try:
                assert await silent(scene, (name,)) == []
            finally:
                os.kill(pid, signal.SIGCONT)
        await plant(scene)
        scene.did("everything is broken that stays so")
        await scene.chronicle.until(lambda: bool(scene.chronicle.unreadable), "the unreadable message")
        assert await silent(scene, tuple(name for name in CHECKS if name not in PASSING)) == []
        scene.stage.ruined = True
