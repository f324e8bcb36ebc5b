"""All checks, in the order in which they are told."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from asyncpg import PostgresError
from nats.errors import Error as NatsError

from libs.errors import Retriable
from tests.faults.checks import archive, disks, log, opsdb
from tests.faults.checks.world import World
from tests.faults.deployment import ARCHIVES

Check = Callable[[World], Awaitable[list[str]]]

POLL_S = 0.3


async def archived(world: World) -> list[str]:
    """Everything that was filed and finished is in every archive."""
    return [
        f"{file.path!r} of {observation.id} is not archived"
        for file_id, (observation, file) in world.ledger.files.items()
        if observation.finished and file_id not in world.ledger.damaged
        if not world.chronicle.is_archived(file_id, ARCHIVES)
    ]


async def answered(world: World) -> list[str]:
    """Nobody who files or stages was told anything that must not be."""
    return list(world.ledger.complaints)


async def stands(world: World) -> list[str]:
    """`up` still runs, and every service with it."""
    if not world.system.alive():
        return ["chasqui up has ended"]
    return [f"{name} does not run" for name in {*world.system.names} - world.system.services().keys()]


UNREST: Mapping[str, Check] = {
    "everything is archived": archived,
    "every handler has settled what it heard": log.settled,
    "ops-db has applied the log": opsdb.applied,
    "what is archived or released is cleared": disks.cleared,
    "every service runs": stands,
    "no temporary file is left": disks.leftovers,
    "no upload is left": archive.uploads,
    "the log is whole, at home and mirrored": log.whole,
}
"""What passes by itself: it is waited for."""

ALWAYS: Mapping[str, Check] = {
    "nobody was told anything wrong": answered,
    "all that was accepted is in the log": log.filed,
    "no unexpected dead letter": log.letters,
    "every file is archived once, identical": archive.identical,
    "nothing unarchived or unfiled was touched": disks.kept,
    "every deletion had its grounds": disks.grounds,
    "ops-db equals its rebuild": opsdb.equal,
}
"""What must hold whenever one looks."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found, and how long it was waited for or looked at."""

    check: str
    violations: tuple[str, ...]
    seconds: float


async def rest(world: World, within_s: float) -> list[Found]:
    """Wait until all of it holds at once; what does not after `within_s` seconds, and since when the rest does."""
    began = time.monotonic()
    since = dict.fromkeys(UNREST, 0.0)
    while True:
        violations = {name: await _answer(check, world) for name, check in UNREST.items()}
        now = time.monotonic() - began
        since |= {name: now for name, told in violations.items() if told}
        if now > within_s or not any(violations.values()):
            return [Found(name, tuple(violations[name]), since[name]) for name in UNREST]
        await asyncio.sleep(POLL_S)


async def until(world: World, *checks: Check, within_s: float = 600.0) -> None:
    """Wait until these checks find nothing, all at once.

    Raises:
        TimeoutError: They go on finding something.
    """
    async with asyncio.timeout(within_s):
        while True:
            if not any([await _answer(check, world) for check in checks]):
                return
            await asyncio.sleep(POLL_S)


async def _answer(check: Check, world: World) -> list[str]:
    """What a check says; a server that is too busy to be asked is no rest, and not the end of the waiting."""
    try:
        return await check(world)
    except (NatsError, PostgresError, TimeoutError, OSError, Retriable) as error:
        return [f"it could not be looked at: {error!r}"]


async def verify(world: World) -> list[Found]:
    """Look at everything that must hold."""
    return [await _looked(name, check, world) for name, check in ALWAYS.items()]


async def _looked(name: str, check: Check, world: World) -> Found:
    began = time.monotonic()
    return Found(name, tuple(await check(world)), time.monotonic() - began)
