"""Disks that run full while everything works, and have room again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.base import Event
from libs.ending import end
from tests.faults.room import Room
from tests.faults.scenario import Scene

MORE_EVERY_S = 3.0
STARTS_WITHIN_S = 240.0
"""Generous: the machine may be busy with much else."""


@asynccontextmanager
async def full(scene: Scene, name: str, room: Room) -> AsyncIterator[None]:
    """A place is full while the block lasts."""
    await asyncio.to_thread(room.fill)
    scene.did(f"{name} is full ({type(room).__name__.lower()})")
    try:
        yield
    finally:
        await asyncio.to_thread(room.free)
        scene.did(f"{name} has room")


async def goes_on(scene: Scene, kind: type[Event], times: int = 3) -> None:
    """Wait until some more events of a kind have happened: work elsewhere is not held up.

    Raises:
        AssertionError: They do not happen.
    """
    before = sum(1 for _ in scene.chronicle.of(kind))
    async with observing_more(scene):
        await scene.chronicle.until(
            lambda: sum(1 for _ in scene.chronicle.of(kind)) >= before + times,
            f"{times} more {kind.__name__}",
            STARTS_WITHIN_S,
        )


@asynccontextmanager
async def observing_more(scene: Scene) -> AsyncIterator[None]:
    """Instruments that wait for the archive observe a little more meanwhile, for else there might be nothing to do."""
    usual = scene.ledger.more_open
    opening = asyncio.create_task(_open_more(scene))
    try:
        yield
    finally:
        await end(opening)
        scene.ledger.more_open = usual


async def _open_more(scene: Scene) -> None:
    while True:
        await asyncio.sleep(MORE_EVERY_S)
        scene.ledger.more_open += 1


async def waits(scene: Scene, name: str, words: str) -> None:
    """Wait until a service has said in its log why it waits.

    Raises:
        TimeoutError: It does not.
    """
    service, site = name.split("@")
    log = scene.system.workdir.logs / f"{site}-{service}.log"
    begin = log.stat().st_size
    async with asyncio.timeout(STARTS_WITHIN_S), observing_more(scene):
        while True:
            if words.encode() in await asyncio.to_thread(lambda: log.read_bytes()[begin:]):
                return
            await asyncio.sleep(0.1)
