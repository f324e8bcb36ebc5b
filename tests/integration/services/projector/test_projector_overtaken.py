"""A projector that was stopped in the middle of a transaction, and woke when another one wrote."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from libs.bus.leases import holders
from libs.opsdb.locking import holder_of, lock_key
from libs.opsdb.rebuild import LogStream, compare, rebuild
from libs.service.service import Place
from tests.support.histories.logs import eventful, log
from tests.support.pausing import hurried, instance, pause, wake
from tests.support.published import publish
from tests.support.road import Road
from tests.support.upkeep import applied

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]

UNDER_WAY = (
    "SELECT backend_xid IS NOT NULL AND wait_event = 'ClientRead' FROM pg_stat_activity WHERE pid = $1"
)


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(place.opsdb_writer_dsn())
    try:
        yield connection
    finally:
        await connection.close()


async def writer_pid(place: Place) -> int | None:
    """Of the session that may write."""
    async with connected(place) as connection:
        holder = await holder_of(connection, lock_key("public"))
    return holder.pid if holder else None


async def has_lease(road: Road, place: Place, process: asyncio.subprocess.Process) -> bool:
    found = (await holders(road.client(place), place.site)).get("projector.tables")
    return found is not None and found.instance.endswith(f"-{process.pid}")


async def stopped_in_a_transaction(road: Road, place: Place, process: asyncio.subprocess.Process) -> None:
    """Stop a projector whose session has rows written and not committed, and let that session go on to wait for it."""
    async with connected(place) as other, other.transaction():
        await other.execute("LOCK TABLE stream_position IN SHARE MODE")
        await publish(road, log(eventful(3, 12), 12, repeats=0.1))

        async def is_blocked() -> bool:
            pid = await writer_pid(place)
            return bool(pid and await other.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid))

        await road.eventually(is_blocked, what="a transaction that has written all but the positions")
        pause(process)
    async with connected(place) as other:

        async def has_rows_under_way() -> bool:
            return bool(await other.fetchval(UNDER_WAY, await writer_pid(place)))

        await road.eventually(has_rows_under_way, what="a transaction that its client leaves open")


async def test_who_wakes_writes_nothing_and_waits_for_its_turn(road: Road, tmp_path: Path) -> None:
    road = hurried(road, lease_s=1.5)
    place = road.telescope
    async with instance(road, place, "projector", tmp_path / "first") as first:
        await applied(place, await publish(road, log(eventful(1, 11), 11)))
        await stopped_in_a_transaction(road, place, first)
        abandoned = await writer_pid(place)
        async with road.running(place, "projector"):
            await applied(place, await publish(road, log(eventful(2, 13), 13, repeats=0.1)))
            assert await writer_pid(place) != abandoned
            wake(first)
            await applied(place, await publish(road, log(eventful(2, 14), 14, repeats=0.1)))
        last = await publish(road, log(eventful(1, 15), 15))
        await applied(place, last)
        assert await has_lease(road, place, first), "it stood by, and took over in its turn"
        assert first.returncode is None
    await equal_to_a_rebuild(road, place, last)


async def equal_to_a_rebuild(road: Road, place: Place, last: dict[str, int]) -> None:
    """No event was lost or folded twice."""
    streams = [LogStream(name) for name in place.streams]
    assert await rebuild(road.client(place), place.opsdb_writer_dsn(), streams, "rebuilt") == last
    assert await compare(place.opsdb_writer_dsn(), "public", "rebuilt") == []
