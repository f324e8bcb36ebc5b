"""Reading, and waiting for the projection, through restarts and losses."""

import asyncio
from pathlib import Path

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
        await database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'chasqui reader' AND datname = current_database()"
        )
        await asyncio.sleep(0.1)
        await apply(database.writer, HAPPENINGS[:1])
        await waiting


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
    async with EmbeddedPostgres(tmp_path / "postgres") as postgres:
        await migrate(postgres.dsn())
        async with OpsDbReader.open(postgres.dsn()) as reader:
            await apply(postgres.dsn(), HAPPENINGS[:1])
            await postgres.stop()
            for attempt in (reader.fetch("SELECT 1"), reader.wait_applied(CHILE, 2, timeout=5)):
                with pytest.raises(Retriable) as told:
                    await attempt
                assert told.value.problem.code == "opsdb_unavailable"
            await postgres.start()
            async with asyncio.timeout(30):
                waiting = asyncio.create_task(_patiently(reader))
                await apply(postgres.dsn(), HAPPENINGS[1:2])
                await waiting


async def _patiently(reader: OpsDbReader) -> None:
    while True:
        try:
            return await reader.wait_applied(CHILE, 2, timeout=1)
        except Retriable:
            await asyncio.sleep(0.05)


async def test_nobody_there() -> None:
    with pytest.raises(Retriable) as told:
        async with OpsDbReader.open("postgresql://nobody@127.0.0.1:9/none"):
            pytest.fail("it cannot be opened")
    assert told.value.problem.code == "opsdb_unavailable"
