"""ops-db: it has applied the whole log, and equals the log folded anew."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from contracts.subjects import events_stream
from libs.opsdb.rebuild import LogStream, compare, rebuild
from tests.faults.checks.world import World
from tests.faults.system import SITES

_SIDE = "rebuilt_by_the_fault_suite"


async def applied(world: World) -> list[str]:
    """Each site's ops-db has applied the whole log of every site."""
    told = []
    for site in SITES:
        positions = await _positions(world, site)
        for origin in SITES:
            last = (
                await world.clients[origin].jetstream(timeout=10).stream_info(events_stream(origin))
            ).state.last_seq
            if positions.get(events_stream(origin), 0) < last:
                told.append(
                    f"the ops-db of {site} has applied {positions.get(events_stream(origin), 0)} of the {last} events of {origin}"
                )
    return told


async def equal(world: World) -> list[str]:
    """Rebuilt beside the live tables, every table comes out the same, row by row, at every site."""
    told = []
    for site in SITES:
        dsn = world.system.places[site].opsdb_writer_dsn()
        async with _side_schema(dsn):
            while True:
                upto = await _positions(world, site)
                streams = [LogStream(events_stream(origin)) for origin in SITES]
                await rebuild(world.clients[site], dsn, streams, _SIDE, upto=upto)
                differences = await compare(dsn, "public", _SIDE)
                if await _positions(world, site) == upto:
                    break
                await _drop(dsn)
        told += [f"the ops-db of {site} is not its rebuild: {difference}" for difference in differences]
    return told


async def _positions(world: World, site: str) -> dict[str, int]:
    connection = await asyncpg.connect(world.system.places[site].opsdb_dsn())
    try:
        rows = await connection.fetch("SELECT stream, sequence FROM stream_position")
    finally:
        await connection.close()
    return {row["stream"]: row["sequence"] for row in rows}


@asynccontextmanager
async def _side_schema(dsn: str) -> AsyncIterator[None]:
    await _drop(dsn)
    try:
        yield
    finally:
        await _drop(dsn)


async def _drop(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"DROP SCHEMA IF EXISTS {_SIDE} CASCADE")
    finally:
        await connection.close()
