"""Tables made anew and exchanged, while a projector writes and readers read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import pytest

from contracts.subjects import events_stream
from libs.ending import end
from libs.errors import ChasquiError, Retriable, UserError
from libs.groups import TaskGroup
from libs.opsdb.migrating import downgrade, newest_revision
from libs.opsdb.projection.applying import Happening
from libs.opsdb.reader import OpsDbReader
from libs.opsdb.upkeep import beside
from libs.opsdb.upkeep.claim import claimed
from libs.opsdb.upkeep.indexes import NEEDED
from libs.opsdb.upkeep.progress import Progress, Stage
from libs.service.service import Place
from tests.support.histories.logs import eventful, log
from tests.support.published import publish
from tests.support.road import Road
from tests.support.upkeep import applied, doomed, execute, leftovers, replaced, verified

pytestmark = pytest.mark.integration

CATALOGUE = {
    "columns": "SELECT table_name, column_name, udt_name, is_nullable, column_default "
    "FROM information_schema.columns WHERE table_schema = 'public'",
    "indexes": "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace",
    "tables": "SELECT relname, relkind, reloptions, relpersistence, relowner FROM pg_class "
    "WHERE relnamespace = 'public'::regnamespace",
    "grants": "SELECT relname, a.* FROM pg_class, aclexplode(relacl) a WHERE relnamespace = 'public'::regnamespace",
    "labels": "SELECT typname, enumlabel, enumsortorder FROM pg_type JOIN pg_enum ON enumtypid = pg_type.oid "
    "WHERE typnamespace = 'public'::regnamespace",
    "rights": "SELECT nspname, nspowner, nspacl::text, defaclobjtype, defaclacl::text FROM pg_namespace "
    "LEFT JOIN pg_default_acl ON defaclnamespace = pg_namespace.oid WHERE nspname = 'public'",
}


async def catalogue(road: Road, place: Place) -> dict[str, list[Any]]:
    """Everything about the live tables but their rows."""
    return {what: sorted(map(repr, await road.query(place, query))) for what, query in CATALOGUE.items()}


async def tables_of(road: Road, place: Place) -> int:
    """The identity of the live tables."""
    [row] = await road.query(place, "SELECT 'public.raw_data_file'::regclass::oid AS tables")
    return int(row["tables"])


@asynccontextmanager
async def projected(road: Road) -> AsyncIterator[dict[str, int]]:
    """The telescope's projector runs, and has applied a log of both sites."""
    async with road.running(road.telescope, "projector"):
        last = await publish(road, log(eventful(6, 3), 3, repeats=0.1))
        await applied(road.telescope, last)
        yield last


async def test_new_tables_are_as_the_old_ones_were_and_mended(road: Road) -> None:
    place = road.telescope
    await execute(
        place,
        "GRANT SELECT ON raw_data_file, site TO PUBLIC",
        "ALTER TABLE raw_data_file SET (autovacuum_vacuum_scale_factor = 0.1)",
        "CREATE TABLE somebody_elses (id int)",
        "INSERT INTO somebody_elses VALUES (1)",
    )
    async with projected(road) as last:
        before, tables = await catalogue(road, place), await tables_of(road, place)
        await execute(place, "DELETE FROM staging_job", "UPDATE raw_data_file SET state = 'missing'")
        assert (await verified(place)).differences
        told: list[Progress] = []
        done = await replaced(place, tell=told.append)
        assert (done.positions, done.events, done.kept) == (last, sum(last.values()), None)
        assert done.held_s > 0
        assert {one.stage for one in told} >= {Stage.FOLDING, Stage.EXCHANGING, Stage.DROPPING}
        assert await tables_of(road, place) != tables
        assert await leftovers(road, place) == set()
        assert await catalogue(road, place) == before
        assert len(await road.query(place, "SELECT * FROM somebody_elses")) == 1
        await applied(place, await publish(road, log(eventful(2, 9), 9)))
        assert (await verified(place)).differences == ()


class Readers:
    """Everything that services do with an `OpsDbReader`, over and over; no error may reach them.

    In a log without repeats the newest record is that of the position, always.
    """

    def __init__(self, opsdb: OpsDbReader, streams: tuple[str, ...]) -> None:
        self._opsdb = opsdb
        self._streams = streams
        self._seen: dict[tuple[str, str], int] = {}
        self.rounds = 0
        self.newest: dict[str, int] = {}

    def kinds(self) -> tuple[Callable[[str], Awaitable[None]], ...]:
        return (self.single, self.typed, self.many, self.view, self.waiting)

    def _forward(self, kind: str, stream: str, position: int) -> None:
        assert position >= self._seen.get((kind, stream), 0), f"{kind}: {stream} went back to {position}"
        self._seen[kind, stream] = position

    async def single(self, stream: str) -> None:
        row = await self._opsdb.fetchrow(
            "SELECT p.sequence, (SELECT max(sequence) FROM event_record r WHERE r.stream = p.stream) AS newest "
            "FROM stream_position p WHERE p.stream = $1",
            stream,
        )
        if row is not None:
            assert row["sequence"] == row["newest"]
            self._forward("single", stream, row["sequence"])

    async def typed(self, _stream: str) -> None:
        rows = await self._opsdb.fetch(
            "SELECT f.state, p.state AS of_package FROM raw_data_file f "
            "LEFT JOIN raw_data_package p ON p.id = f.raw_data_package_id WHERE f.state = $1 LIMIT 5",
            "packaged",
        )
        assert {row["state"] for row in rows} <= {"packaged"}
        await self._opsdb.fetchval(
            "SELECT count(*) FROM physical_copy WHERE state = $1::copy_state", "present"
        )

    async def many(self, _stream: str) -> None:
        rows = [
            row async for row in self._opsdb.iterate("SELECT id, state, preview_state FROM raw_data_file")
        ]
        assert len({row["id"] for row in rows}) == len(rows)

    async def view(self, stream: str) -> None:
        async with self._opsdb.snapshot(stream) as view:
            [one] = await view.fetch("SELECT count(*) AS n, max(state) AS state FROM raw_data_file")
            await asyncio.sleep(0.01)
            [record] = await view.fetch(
                "SELECT COALESCE(max(sequence), 0) AS newest FROM event_record WHERE stream = $1", stream
            )
            [again] = await view.fetch("SELECT count(*) AS n, max(state) AS state FROM raw_data_file")
        assert one == again
        assert record["newest"] == view.position
        self._forward("view", stream, view.position)

    async def waiting(self, stream: str) -> None:
        wanted = self.newest.get(stream, 0)
        await self._opsdb.wait_applied(stream, wanted, timeout=60)
        async with self._opsdb.snapshot(stream) as view:
            assert view.position >= wanted
        assert await self._opsdb.position(stream) >= wanted

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[list[asyncio.Task[None]]]:
        """Each kind of reading while the block lasts."""
        reading = [asyncio.create_task(self._for_ever(kind)) for kind in self.kinds()]
        try:
            yield reading
        finally:
            await end(*reading)

    async def read_on(self, reading: list[asyncio.Task[None]]) -> None:
        """Wait until everybody has read some more; raises what ended one of them."""
        wanted = self.rounds + 10
        while self.rounds < wanted:
            for task in reading:
                if task.done():
                    task.result()
            await asyncio.sleep(0.02)

    async def _for_ever(self, kind: Callable[[str], Awaitable[None]]) -> None:
        while True:
            for stream in self._streams:
                await kind(stream)
            self.rounds += 1
            await asyncio.sleep(0)


async def pour(road: Road, readers: Readers, happenings: Sequence[Happening]) -> dict[str, int]:
    for first in range(0, len(happenings), 20):
        readers.newest |= await publish(road, happenings[first : first + 20])
        await asyncio.sleep(0.02)
    return readers.newest


@pytest.mark.long
async def test_readers_and_projector_go_on_over_exchanges(road: Road) -> None:
    place = road.telescope
    async with (
        road.running(place, "projector"),
        OpsDbReader.open(place.opsdb_dsn(), most=6) as opsdb,
        asyncio.timeout(110),
    ):
        readers = Readers(opsdb, place.streams)
        happenings = log(eventful(60, 7), 7)
        await applied(place, await publish(road, happenings[:50]))
        tables = {await tables_of(road, place)}
        exchanges = 0
        async with readers.at_work() as reading, TaskGroup() as tasks:
            pouring = tasks.create_task(pour(road, readers, happenings[50:]))
            while exchanges < 3 or not pouring.done():
                await replaced(place)
                exchanges += 1
                tables.add(await tables_of(road, place))
                await readers.read_on(reading)
        await applied(place, pouring.result())
        assert len(tables) == exchanges + 1
        found = await verified(place)
        assert (found.differences, found.positions) == ((), pouring.result())
        assert await road.letters(place) == []


async def test_a_long_log_is_folded_by_several_processes(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "LONG", 50)
    monkeypatch.setattr(beside, "PART", 40)
    place = road.telescope
    async with projected(road) as last:
        before = await catalogue(road, place)
        assert (await verified(place)).differences == ()
        done = await replaced(place)
        assert (done.positions, done.events) == (last, sum(last.values()))
        assert await catalogue(road, place) == before
        assert (await verified(place)).differences == ()


async def test_every_index_that_is_not_put_off_is_there(road: Road) -> None:
    rows = await road.query(road.telescope, "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")
    assert {row["indexname"] for row in rows} >= NEEDED


async def test_the_standby_takes_over_the_new_tables(road: Road) -> None:
    place = road.telescope
    async with road.running(place, "projector"):
        async with projected(road):
            await replaced(place)
        last = await publish(road, log(eventful(3, 5), 5))
        await applied(place, last)
        assert (await verified(place)).differences == ()


@pytest.mark.parametrize(
    ("stage", "note", "left"),
    [
        pytest.param(Stage.FOLDING, "", {"chasqui_beside_public"}, marks=pytest.mark.long),
        (Stage.EXCHANGING, "folding the last", {"chasqui_beside_public"}),
        pytest.param(Stage.DROPPING, "", {"chasqui_replaced_public"}, marks=pytest.mark.long),
    ],
)
async def test_killed_half_way_it_is_done_or_not_and_cleared_away(
    road: Road, stage: Stage, note: str, left: set[str]
) -> None:
    place = road.telescope
    async with projected(road):
        tables = await tables_of(road, place)
        process = doomed(place, "rebuild", stage, note)
        await asyncio.to_thread(process.join, 100)
        assert process.exitcode == -9
        assert await leftovers(road, place) == left
        assert (await tables_of(road, place) != tables) is (stage is Stage.DROPPING)
        last = await publish(road, log(eventful(2, 6), 6))
        await applied(place, last)
        await replaced(place)
        assert await leftovers(road, place) == set()
        assert (await verified(place)).differences == ()


async def test_two_at_once(road: Road) -> None:
    place = road.telescope
    async with projected(road), claimed(place.opsdb_writer_dsn(), "verify"):
        with pytest.raises(Retriable, match="verify runs since") as told:
            await replaced(place)
        assert told.value.problem.code == "upkeep_running"


@asynccontextmanager
async def holding(place: Place) -> AsyncIterator[asyncpg.Connection]:
    """Somebody reads in one long transaction."""
    settings = {"application_name": "a long report"}
    connection = await asyncpg.connect(place.opsdb_dsn(), server_settings=settings)
    try:
        async with connection.transaction():
            await connection.fetch("SELECT * FROM raw_data_file")
            yield connection
    finally:
        await connection.close()


async def test_a_long_transaction_is_not_disturbed_and_named(road: Road) -> None:
    place = road.telescope
    async with projected(road):
        tables = await tables_of(road, place)
        async with holding(place) as connection:
            with pytest.raises(Retriable, match="a long report") as told:
                await replaced(place, patience_s=1)
            assert told.value.problem.code == "exchange_blocked"
            # It would deadlock with whoever holds the positions and waits for it.
            assert await connection.fetchval("SELECT count(*) FROM stream_position") > 0
            assert await leftovers(road, place) == set()
            assert await tables_of(road, place) == tables
            patient = asyncio.create_task(replaced(place))
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(patient), 3)
            assert not patient.done()
            await connection.fetch("SELECT * FROM stream_position")
        await patient
        assert await tables_of(road, place) != tables


async def test_the_old_tables_may_be_kept(road: Road) -> None:
    place = road.telescope
    async with projected(road):
        await execute(place, "INSERT INTO site (name) VALUES ('atlantis')")
        done = await replaced(place, keep=True)
        assert done.kept is not None
        assert await leftovers(road, place) == {done.kept}
        writer = await asyncpg.connect(place.opsdb_writer_dsn())
        kept = await writer.fetch(f"SELECT name FROM {done.kept}.site WHERE name = 'atlantis'")  # noqa: S608 - our own name
        await writer.close()
        assert len(kept) == 1
        assert await road.query(place, "SELECT name FROM site WHERE name = 'atlantis'") == []
        assert (await verified(place)).differences == ()
        assert await leftovers(road, place) == {done.kept}


async def test_tables_of_an_older_release_are_made_those_of_this_one(road: Road) -> None:
    place = road.telescope
    async with projected(road):
        pass
    await downgrade(place.opsdb_writer_dsn(), revision="0001")
    await replaced(place)
    [row] = await road.query(place, "SELECT version_num FROM alembic_version")
    assert row["version_num"] == await newest_revision()
    assert (await verified(place)).differences == ()
    assert await road.query(place, "SELECT * FROM dead_letter") is not None


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE alembic_version SET version_num = 'f00'", "opsdb_newer"),
        ("CREATE VIEW files AS SELECT * FROM raw_data_file", "opsdb_has_dependents"),
        ("CREATE TABLE notes (file uuid REFERENCES raw_data_file (id))", "opsdb_has_dependents"),
        ("DROP TABLE stream_position", "opsdb_not_prepared"),
    ],
)
async def test_what_cannot_be_replaced_is_refused_before_any_work(
    road: Road, statement: str, code: str
) -> None:
    place = road.telescope
    await execute(place, statement)
    with pytest.raises(ChasquiError) as told:
        await replaced(place)
    assert told.value.problem.code == code
    assert await leftovers(road, place) == set()


async def test_tables_of_another_role(road: Road) -> None:
    place = road.telescope
    database = place.settings.database_of(place.site)
    admin = await asyncpg.connect(road.servers.dsn(database))
    await admin.execute("ALTER TABLE site OWNER TO CURRENT_USER")
    await admin.execute(f"GRANT ALL ON site TO {place.settings.opsdb.writer}")
    await admin.close()
    with pytest.raises(UserError, match="site") as told:
        await replaced(place)
    assert told.value.problem.code == "opsdb_not_owned"


async def test_a_site_whose_projector_stands_still(road: Road) -> None:
    """It is at the positions where the projector left it, not at the end of the log."""
    place = road.telescope
    async with projected(road) as last:
        pass
    await publish(road, log(eventful(2, 4), 4))
    assert (await replaced(place)).positions == last
    assert (await verified(place)).positions == last
    async with road.running(place, "projector"):
        state = await road.client(place).jetstream().stream_info(events_stream(place.site))
        await applied(place, {events_stream(place.site): state.state.last_seq})
    assert (await verified(place)).differences == ()
