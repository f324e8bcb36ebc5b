"""Servers that end under load, in order and not: whoever runs `up` finds them started again."""

import asyncio
import os
import signal
from dataclasses import dataclass
from enum import Enum

from tests.faults.deployment import CENTRE, TELESCOPE
from tests.faults.scenario import Scene

BACK_WITHIN_S = 240.0
LONGEST_PEACE_S = 1.5


class Server(Enum):
    """An embedded server, by words that only its command line has."""

    HUB = ("nats-server", f"nats/{CENTRE}/nats.conf")
    """NATS of the data centre."""
    LEAF = ("nats-server", f"nats/{TELESCOPE}/nats.conf")
    """NATS of the telescope, a leaf node of the hub."""
    POSTGRES = ("bin/postgres", "-D")
    """The ops-dbs of both sites."""
    OBJECTS = ("swift_host", "object-server=")
    """The process of Swift that reads and writes objects."""
    S3 = ("swift_host", "proxy-server=")
    """The process of Swift that answers clients."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a server ends."""

    server: Server
    how: signal.Signals


ENDINGS = (
    Ending(Server.HUB, signal.SIGTERM),
    Ending(Server.HUB, signal.SIGKILL),
    Ending(Server.LEAF, signal.SIGTERM),
    Ending(Server.LEAF, signal.SIGKILL),
    Ending(Server.POSTGRES, signal.SIGINT),
    Ending(Server.POSTGRES, signal.SIGQUIT),
    Ending(Server.POSTGRES, signal.SIGKILL),
    Ending(Server.OBJECTS, signal.SIGKILL),
    Ending(Server.S3, signal.SIGKILL),
)
"""PostgreSQL calls the signals fast, immediate, and does not know the third."""


async def end_in_turn(scene: Scene, rounds: int) -> None:
    """End every server in every way, in a shuffled order, so many times over."""
    for _ in range(rounds):
        for ending in scene.rng.sample(ENDINGS, len(ENDINGS)):
            await end_one(scene, ending)


async def end_some(scene: Scene) -> None:
    """End one server of each kind in one of its ways, in a shuffled order."""
    kinds = ((Server.HUB, Server.LEAF), (Server.POSTGRES,), (Server.OBJECTS, Server.S3))
    for server in scene.rng.sample([scene.rng.choice(kind) for kind in kinds], len(kinds)):
        await end_one(scene, scene.rng.choice([ending for ending in ENDINGS if ending.server is server]))


async def end_one(scene: Scene, ending: Ending) -> None:
    """End a server after a random while and wait until another process has its place."""
    await asyncio.sleep(scene.rng.uniform(0, LONGEST_PEACE_S))
    before = await _process(scene, ending.server)
    os.kill(before, ending.how)
    scene.did(f"{ending.how.name} {ending.server.name.lower()}")
    async with asyncio.timeout(BACK_WITHIN_S):
        while True:
            await asyncio.sleep(0.05)
            if await _process(scene, ending.server) != before:
                return


async def _process(scene: Scene, server: Server) -> int:
    async with asyncio.timeout(BACK_WITHIN_S):
        while True:
            try:
                return await asyncio.to_thread(scene.system.server, *server.value)
            except LookupError:
                await asyncio.sleep(0.05)
