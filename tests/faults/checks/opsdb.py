"""ops-db: it has applied the whole log, and equals the log folded anew."""

import json
from io import StringIO

import asyncpg
from rich.console import Console

from commands.opsdb import Where, verify
from contracts.subjects import events_stream
from tests.faults.checks.world import World
from tests.faults.system import SITES


async def applied(world: World) -> list[str]:
    """Each site's ops-db has applied the whole log of every site."""
    told = []
    for site in SITES:
        positions = await _positions(world, site)
        for origin in SITES:
            stream = events_stream(origin)
            last = (await world.clients[origin].jetstream(timeout=10).stream_info(stream)).state.last_seq
            if positions.get(stream, 0) < last:
                told.append(
                    f"the ops-db of {site} has applied {positions.get(stream, 0)} of {last} of {stream}"
                )
    return told


async def equal(world: World) -> list[str]:
    """Folded beside the live tables, every table comes out the same, row by row, at every site."""
    out = StringIO()
    where = Where(world.system.workdir)
    status = await verify(where, samples=3, as_json=True, console=Console(file=out))
    found = json.loads(out.getvalue())
    told = [
        f"the ops-db of {site} is not the fold of the log: {difference}"
        for site, one in found.items()
        for difference in one["differences"]
    ]
    assert bool(told) == bool(status)
    return told


async def _positions(world: World, site: str) -> dict[str, int]:
    connection = await asyncpg.connect(world.system.places[site].opsdb_dsn())
    try:
        rows = await connection.fetch("SELECT stream, sequence FROM stream_position")
    finally:
        await connection.close()
    return {row["stream"]: row["sequence"] for row in rows}
