"""Whatever differs in whatever table is found, named, and nothing else."""

import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import ARRAY, Boolean, DateTime, Double, Enum, Interval, String, Table, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import BigInteger, TypeEngine

from contracts.base import derived_id
from contracts.copies import CopyDeleted, CopyRef
from contracts.states import CopyKind
from libs.opsdb.migrating import migrate
from libs.opsdb.models import METADATA
from libs.opsdb.projection.applying import Batch
from libs.opsdb.upkeep.comparing import Kind, RowDifference, compare, compare_within
from libs.opsdb.writer import OpsDbWriter
from tests.support.histories import road
from tests.support.histories.logs import BEGIN, eventful, log
from tests.support.histories.road import Step
from tests.support.servers import WRITER, WRITER_PASSWORD, TestServers

pytestmark = [
    pytest.mark.integration,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("comparing"),  # they share two schemas
]

TABLES = METADATA.sorted_tables
SEED = 2


def bundle_cleared() -> Step:
    """No service tells of copies of a bundle, which is a manifest: but the table is there."""
    copy = CopyRef(
        kind=CopyKind.DATA_TRANSFER_PACKAGE, entity_id=uuid4(), location=road.BUFFER, path="b", size=1
    )
    event = CopyDeleted(
        location=road.BUFFER, batch=derived_id("clearing", copy.entity_id), deleted_at=BEGIN, copies=(copy,)
    )
    return road.DESTINATION, event


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def folded(servers: TestServers) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database in which one log was folded into two schemas; foreign keys and checks are not minded."""
    name = f"opsdb_{secrets.token_hex(6)}"
    dsn = servers.dsn(name, WRITER, WRITER_PASSWORD)
    admin = await asyncpg.connect(servers.dsn("postgres"))
    await admin.execute(f"CREATE DATABASE {name} OWNER {WRITER}")
    happenings = log(iter([*eventful(30, SEED), bundle_cleared()]), SEED)
    for schema, length in (("public", 40), ("log", 1000)):
        await migrate(dsn, schema)
        async with OpsDbWriter.open(dsn, schema=schema) as writer:
            for first in range(0, len(happenings), length):
                some = happenings[first : first + length]
                await writer.apply(Batch(some, {h.stream: h.sequence for h in some}))
    connection = await asyncpg.connect(
        servers.dsn(name), server_settings={"session_replication_role": "replica"}
    )
    for check in await connection.fetch(
        "SELECT conrelid::regclass::text AS place, conname FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0 "
        "AND connamespace = ANY(ARRAY['public', 'log']::regnamespace[])"
    ):
        await connection.execute(f'ALTER TABLE {check["place"]} DROP CONSTRAINT "{check["conname"]}"')
    try:
        yield connection
    finally:
        await connection.close()
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


@asynccontextmanager
async def undone(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """What is done in the block is not done in the end."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


async def only_difference(
    connection: asyncpg.Connection, table: Table, among: Sequence[Table] = TABLES
) -> RowDifference:
    [difference] = await compare_within(connection, "public", "log", tables=among)
    assert difference.table == table.name
    assert difference.rows == 1
    [row] = difference.samples
    return row


def other_value(kind: TypeEngine[Any], column: str) -> str:
    """SQL for a value of a type that is not the one that is there."""
    match kind:
        case Enum():
            labels = [str(label) for label in kind.enums]
            return f"(CASE WHEN {column}::text = '{labels[0]}' THEN '{labels[-1]}' ELSE '{labels[0]}' END)::public.{kind.name}"
        case BigInteger() | Double():
            return f"COALESCE({column}, 0) + 1"
        case Boolean():
            return f"NOT COALESCE({column}, false)"
        case DateTime():
            return f"COALESCE({column}, now()) + interval '1 microsecond'"
        case Interval():
            return f"COALESCE({column}, interval '0') + interval '1 second'"
        case Uuid():
            return "gen_random_uuid()"
        case JSONB():
            return "'{\"other\": [1]}'"
        case ARRAY():
            return f"array_append({column}, 'other')"
        case String() if kind.length:
            return (
                f"CASE left({column}, 1) WHEN 'Q' THEN 'Z' ELSE 'Q' END || substr(COALESCE({column}, ''), 2)"
            )
        case _:
            return f"COALESCE({column}, '') || ' '"


async def first_key(connection: asyncpg.Connection, table: Table) -> dict[str, str]:
    keys = ", ".join(f"{column.name}::text" for column in table.primary_key)
    row = await connection.fetchrow(f"SELECT {keys} FROM public.{table.name} ORDER BY 1 LIMIT 1")  # noqa: S608 - of the models
    assert row is not None, f"the log tells nothing of {table.name}"
    return dict(row)


def at(key: dict[str, str]) -> str:
    return " AND ".join(f"{column}::text = '{value}'" for column, value in key.items())


async def test_equal_tables_have_no_difference(folded: asyncpg.Connection) -> None:
    async with undone(folded):
        assert await compare_within(folded, "public", "log") == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_a_changed_column(folded: asyncpg.Connection, table: Table) -> None:
    key = await first_key(folded, table)
    columns = [column for column in table.columns if not column.primary_key]
    for changed in [[column] for column in columns] + ([columns] if len(columns) > 1 else []):
        values = ", ".join(f"{column.name} = {other_value(column.type, column.name)}" for column in changed)
        async with undone(folded):
            update = f"UPDATE public.{table.name} SET {values} WHERE {at(key)}"  # noqa: S608 - of the models
            assert await folded.execute(update) == "UPDATE 1"
            # Whether another table is taken for another, too, is looked at once: there are many columns.
            row = await only_difference(folded, table, TABLES if changed == columns else [table])
        assert (row.kind, row.key) == (Kind.CHANGED, key)
        assert [cell.column for cell in row.cells] == [column.name for column in changed]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_a_missing_row(folded: asyncpg.Connection, table: Table) -> None:
    key = await first_key(folded, table)
    async with undone(folded):
        await folded.execute(f"DELETE FROM public.{table.name} WHERE {at(key)}")  # noqa: S608 - of the models
        row = await only_difference(folded, table)
    assert (row.kind, row.key) == (Kind.ONLY_IN_SECOND, key)
    assert all(cell.first is None and cell.second is not None for cell in row.cells)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_an_extra_row(folded: asyncpg.Connection, table: Table) -> None:
    key = await first_key(folded, table)
    extra = {
        column.name: str(uuid4())
        if isinstance(column.type, Uuid)
        else "7777777"[: getattr(column.type, "length", None) or 7]
        for column in table.primary_key
    }
    async with undone(folded):
        await folded.execute(
            f"INSERT INTO public.{table.name} SELECT (json_populate_record(r, $1)).* "  # noqa: S608 - of the models
            f"FROM public.{table.name} r WHERE {at(key)}",
            json.dumps(extra | ({"event_id": str(uuid4())} if table.name == "event_record" else {})),
        )
        row = await only_difference(folded, table)
    assert (row.kind, row.key) == (Kind.ONLY_IN_FIRST, extra)


async def test_many_differences_are_counted_and_some_shown(folded: asyncpg.Connection) -> None:
    async with undone(folded):
        [ids] = await folded.fetch("SELECT array_agg(id ORDER BY id) AS all FROM public.raw_data_file")
        gone, changed = ids["all"][:4], ids["all"][4:9]
        await folded.execute("DELETE FROM public.raw_data_file WHERE id = ANY($1)", gone)
        await folded.execute("UPDATE public.raw_data_file SET size = 7 WHERE id = ANY($1)", changed)
        [difference] = await compare_within(folded, "public", "log", samples=6)
        [none_shown] = await compare_within(folded, "public", "log", samples=0)
    assert (difference.only_in_first, difference.only_in_second, difference.changed) == (0, 4, 5)
    assert [row.key["id"] for row in difference.samples] == [str(i) for i in [*gone, *changed]][:6]
    assert (none_shown.rows, none_shown.samples) == (9, ())


async def test_null_is_not_nothing(folded: asyncpg.Connection) -> None:
    async with undone(folded):
        await folded.execute("UPDATE public.site SET description = ''")
        await folded.execute("UPDATE log.site SET description = NULL")
        [difference] = await compare_within(folded, "public", "log")
    cell = difference.samples[0].cells[0]
    assert (cell.column, cell.first, cell.second) == ("description", "", None)


async def test_two_schemas_by_their_address(folded: asyncpg.Connection, servers: TestServers) -> None:
    dsn = servers.dsn(await folded.fetchval("SELECT current_database()"))
    assert await compare(dsn, "public", "log") == []
    await folded.execute("UPDATE log.stream_position SET event_time = now()")
    try:
        [difference] = await compare(dsn, "public", "log")
        assert difference.table == "stream_position"
        assert difference.changed == 2
    finally:
        await folded.execute(
            "UPDATE log.stream_position l SET event_time = p.event_time FROM public.stream_position p "
            "WHERE l.stream = p.stream"
        )
