"""Rebuilding and verifying the ops-db of a test's site, in this process or in one that is killed half way."""

import asyncio
import multiprocessing
import os
import signal
from multiprocessing.context import SpawnProcess

import asyncpg

from libs.opsdb.reader import OpsDbReader
from libs.opsdb.rebuild import LogStream
from libs.opsdb.upkeep.progress import Progress, Stage, Tell, in_silence
from libs.opsdb.upkeep.replacing import Replaced, replace
from libs.opsdb.upkeep.verifying import Verified, verify
from libs.service.service import Place
from tests.support.road import Road


def streams(place: Place) -> list[LogStream]:
    """What the site's ops-db is folded from."""
    return [LogStream(name) for name in place.streams]


async def verified(place: Place, tell: Tell = in_silence) -> Verified:
    """Verify a site's ops-db."""
    return await verify(place.bus_address(), place.opsdb_writer_dsn(), streams(place), tell=tell)


async def replaced(
    place: Place, *, keep: bool = False, patience_s: float = 60.0, tell: Tell = in_silence
) -> Replaced:
    """Rebuild a site's ops-db."""
    reader = place.settings.opsdb.reader
    return await replace(
        place.bus_address(),
        place.opsdb_writer_dsn(),
        streams(place),
        reader=reader,
        keep=keep,
        patience_s=patience_s,
        tell=tell,
    )


async def applied(place: Place, last: dict[str, int]) -> None:
    """Wait until a site's ops-db contains these sequences."""
    async with OpsDbReader.open(place.opsdb_dsn()) as reader:
        for stream, sequence in last.items():
            await reader.wait_applied(stream, sequence, timeout=60)


async def execute(place: Place, *statements: str) -> None:
    """Do something with the role of the projector that only the projector should."""
    connection = await asyncpg.connect(place.opsdb_writer_dsn())
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def leftovers(road: Road, place: Place) -> set[str]:
    """The schemas that work on the ops-db as a whole has made and not removed."""
    rows = await road.query(place, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'chasqui%'")
    return {row["nspname"] for row in rows}


def doomed(place: Place, work: str, stage: Stage, note: str = "") -> SpawnProcess:
    """Start ``rebuild`` or ``verify`` in a process that kills itself when it tells of a stage with that note."""
    process = multiprocessing.get_context("spawn").Process(target=_die, args=(place, work, stage, note))
    process.start()
    return process


def _die(place: Place, work: str, stage: Stage, note: str) -> None:
    def tell(progress: Progress) -> None:
        if progress.stage is stage and progress.note.startswith(note):
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(_work(place, work, tell))


async def _work(place: Place, work: str, tell: Tell) -> None:
    if work == "verify":
        await verify(place.bus_address(), place.opsdb_writer_dsn(), streams(place), tell=tell)
    else:
        await replace(place.bus_address(), place.opsdb_writer_dsn(), streams(place), tell=tell)
