"""Reading, and waiting for the projection, through restarts and losses."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from libs.embedded.postgres import EmbeddedPostgres
from libs.errors import Retriable
from libs.opsdb import watching
from libs.opsdb.migrating import migrate
from libs.opsdb.projection.applying import Batch, Happening
from libs.opsdb.reader import OpsDbReader
from libs.opsdb.writer import OpsDbWriter
from tests.support.histories import road
from tests.support.histories.logs import BEGIN, log, smooth

from .conftest import Database

pytestmark = pytest.mark.integration

CHILE = "EVENTS_chile"
HAPPENINGS = [h for h in log(road.road(road.Observation(1, 3, BEGIN))) if h.stream == CHILE]


async def apply(dsn: str, happenings: list[Happening]) -> None:
    async with OpsDbWriter.open(dsn) as writer:
        await writer.apply(Batch(happenings, {h.stream: h.sequence for h in happenings}))


async def test_what_is_applied_is_not_waited_for(database: Database) -> None:
    await apply(database.writer, HAPPENINGS[:3])
    async with OpsDbReader.open(database.reader) as reader:
        await reader.wait_applied(CHILE, 3, timeout=0)
        assert await reader.position(CHILE) == 3
        assert await reader.position("EVENTS_nowhere") == 0


async def test_waiting_ends_with_the_commit(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_LOOK_EVERY_S", 60.0)  # only being told can be in time
    async with OpsDbReader.open(database.reader) as reader:
        waiting = [asyncio.create_task(reader.wait_applied(CHILE, n, timeout=20)) for n in (2, 3, 3)]
        await asyncio.sleep(0.2)
        assert not any(task.done() for task in waiting)
        await apply(database.writer, HAPPENINGS[:2])
        await waiting[0]
        assert not waiting[1].done()
        async with OpsDbWriter.open(database.writer) as writer:
            await writer.apply(Batch(HAPPENINGS[2:3], {CHILE: 3}))
            await asyncio.gather(*waiting)


async def test_a_lagging_projection_is_told(database: Database) -> None:
    async with OpsDbReader.open(database.reader) as reader:
        with pytest.raises(Retriable) as told:
            await reader.wait_applied(CHILE, 1, timeout=0.1)
    assert told.value.problem.code == "projection_lags"


async def test_another_schema_wakes_nobody(database: Database) -> None:
    await migrate(database.writer, "rebuilt")
    async with OpsDbReader.open(database.reader) as reader:
        waiting = asyncio.create_task(reader.wait_applied(CHILE, 1, timeout=0.5))
        await asyncio.sleep(0.1)
        async with OpsDbWriter.open(database.writer, schema="rebuilt") as writer:
            await writer.apply(Batch(HAPPENINGS[:1], {CHILE: 1}))
        with pytest.raises(Retriable):
            await waiting


async def test_waiting_survives_a_lost_connection(database: Database) -> None:
    async with OpsDbReader.open(database.reader) as reader:
        waiting = asyncio.create_task(reader.wait_applied(CHILE, 1, timeout=20))
        await asyncio.sleep(0.1)
        await database.execute(CUT)
        await asyncio.sleep(0.1)
        await apply(database.writer, HAPPENINGS[:1])
        await waiting


CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'chasqui reader' AND datname = current_database()
"""


async def past_the_cut(ask: Callable[[], Awaitable[object]]) -> object:
    """The answer by a connection that is made anew."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await ask()
            except Retriable as error:
                if error.problem.code != "opsdb_unavailable":
                    raise
                await asyncio.sleep(0.02)


async def test_what_was_waited_for_is_not_read_past(database: Database) -> None:
    """A crash of PostgreSQL cuts every connection, and may take the last commits back."""
    await apply(database.writer, HAPPENINGS[:3])
    files = "SELECT count(*) FROM raw_data_file"

    async def by_a_view(reader: OpsDbReader) -> object:
        async with reader.snapshot(CHILE) as view:
            return view.position

    async def by_a_cursor(reader: OpsDbReader) -> object:
        return [row["count"] async for row in reader.iterate(files)]

    async with OpsDbReader.open(database.reader) as reader, OpsDbReader.open(database.reader) as other:
        await reader.wait_applied(CHILE, 2)
        assert await reader.fetchval(files) == 3
        await database.execute(
            "DELETE FROM event_record; DELETE FROM raw_data_file; DELETE FROM stream_position"
        )
        await database.execute(CUT)
        for ask in (
            lambda: reader.fetchval(files),
            lambda: reader.fetch(files),
            lambda: reader.fetchrow(files),
            lambda: by_a_view(reader),
            lambda: by_a_cursor(reader),
        ):
            with pytest.raises(Retriable) as told:
                await past_the_cut(ask)
            assert told.value.problem.code == "opsdb_went_back"
        assert await reader.position(CHILE) == 0
        assert await past_the_cut(lambda: other.fetchval(files)) == 0  # it has promised nothing

        again = asyncio.create_task(reader.wait_applied(CHILE, 2, timeout=30))
        await apply(database.writer, HAPPENINGS[:3])
        await again
        assert (await reader.fetchval(files), await by_a_view(reader), await by_a_cursor(reader)) == (
            3,
            3,
            [3],
        )


async def test_queries(database: Database) -> None:
    await apply(database.writer, [h for h in log(smooth(3, files=(1000,))) if h.stream == CHILE])
    async with OpsDbReader.open(database.reader) as reader:
        assert await reader.fetchval("SELECT count(*) FROM raw_data_file") == 3000
        row = await reader.fetchrow("SELECT count(*) AS n FROM raw_data_file WHERE path = $1", "none")
        assert row is not None
        assert row["n"] == 0
        query = "SELECT id FROM raw_data_file ORDER BY id"
        assert [r["id"] async for r in reader.iterate(query)] == [r["id"] for r in await reader.fetch(query)]


async def test_a_snapshot_does_not_move(database: Database) -> None:
    await apply(database.writer, HAPPENINGS[:1])
    async with OpsDbReader.open(database.reader) as reader, reader.snapshot(CHILE) as snapshot:
        assert snapshot.position == 1
        await apply(database.writer, HAPPENINGS[1:3])
        assert await snapshot.fetch("SELECT * FROM raw_data_file") == []
        assert [r async for r in snapshot.iterate("SELECT * FROM raw_data_file")] == []
        assert await reader.fetchval("SELECT count(*) FROM raw_data_file") == 3


async def test_a_reader_cannot_write(database: Database) -> None:
    async with OpsDbReader.open(database.writer) as reader:
        with pytest.raises(Exception, match="read-only"):
            await reader.fetch("INSERT INTO site (name) VALUES ('x')")


async def test_postgres_away_and_back(tmp_path: Path) -> None:
    # Nothing writes a commit that waits for no disk out of the server's memory so soon.
    lazy = {"wal_writer_delay": "10s", "bgwriter_delay": "10s", "autovacuum": "off"}
    async with EmbeddedPostgres(tmp_path / "postgres", settings=lazy) as postgres:
        dsn = postgres.dsn()
        await migrate(dsn)
        async with OpsDbReader.open(dsn) as reader:
            await apply(dsn, HAPPENINGS[:1])
            await postgres.stop()
            for attempt in (reader.fetch("SELECT 1"), reader.wait_applied(CHILE, 2, timeout=5)):
                with pytest.raises(Retriable) as told:
                    await attempt
                assert told.value.problem.code == "opsdb_unavailable"
            await postgres.start()
            async with asyncio.timeout(30):
                waiting = asyncio.create_task(_patiently(reader))
                await apply(dsn, HAPPENINGS[1:2])
                await waiting
            lost = await _lost_in_a_crash(postgres, reader)
            with pytest.raises(Retriable) as told:
                await past_the_cut(lambda: reader.fetchval("SELECT count(*) FROM raw_data_file"))
            assert told.value.problem.code == "opsdb_went_back"
            await apply(dsn, HAPPENINGS[:lost])
            await reader.wait_applied(CHILE, lost, timeout=60)
            assert await reader.fetchval("SELECT count(*) FROM raw_data_file") == 3


async def _patiently(reader: OpsDbReader) -> None:
    while True:
        try:
            return await reader.wait_applied(CHILE, 2, timeout=1)
        except Retriable:
            await asyncio.sleep(0.05)


async def _lost_in_a_crash(postgres: EmbeddedPostgres, reader: OpsDbReader) -> int:
    """Have the server crash with a commit that was waited for, until it is one that it loses: of which sequence."""
    for sequence in range(3, len(HAPPENINGS)):
        await apply(postgres.dsn(), HAPPENINGS[sequence - 1 : sequence])
        await reader.wait_applied(CHILE, sequence, timeout=60)
        for pid in postgres.pids:
            psutil.Process(pid).kill()
        await postgres.restart()
        if await past_the_cut(lambda: reader.position(CHILE)) != sequence:
            return sequence
    raise AssertionError("the server lost nothing")


async def test_nobody_there() -> None:
    with pytest.raises(Retriable) as told:
        async with OpsDbReader.open("postgresql://nobody@127.0.0.1:9/none"):
            pytest.fail("it cannot be opened")
    assert told.value.problem.code == "opsdb_unavailable"
