"""kill -9 of services at random moments."""

import asyncio
import os
import signal
from contextlib import suppress

from tests.faults.scenario import Scene

BACK_WITHIN_S = 240.0
PEACE_S = (0.1, 0.5, 2.0)
"""Longest pauses before a kill: some services die before they are ready, some in mid-work."""


async def kill_in_turn(scene: Scene, kills: int) -> None:
    """Kill every service in turn, in a shuffled order, until so many were killed."""
    names: list[str] = []
    for _ in range(kills):
        names = names or scene.rng.sample(scene.system.names, len(scene.system.names))
        await kill(scene, names.pop())


async def kill_pairs(scene: Scene, times: int) -> None:
    """Kill two services at the same moment."""
    for _ in range(times):
        await kill(scene, *scene.rng.sample(scene.system.names, 2))


async def kill(scene: Scene, *names: str) -> None:
    """Kill these services together, after a random while, as soon as all of them run."""
    pids = await running(scene, *names)
    await asyncio.sleep(scene.rng.uniform(0, scene.rng.choice(PEACE_S)))
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    scene.did(f"kill -9 {' '.join(names)}")


async def running(scene: Scene, *names: str) -> list[int]:
    """The processes of these services, once all of them run."""
    async with asyncio.timeout(BACK_WITHIN_S):
        while True:
            found = await asyncio.to_thread(scene.system.services)
            if all(name in found for name in names):
                return [found[name] for name in names]
            await asyncio.sleep(0.2)
