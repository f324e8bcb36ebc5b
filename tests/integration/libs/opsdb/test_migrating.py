"""The steps make the models' tables, in any schema, for the reader to read and nobody else."""

from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from libs.errors import Retriable
from libs.opsdb.migrating import downgrade, known_revisions, migrate, newest_revision
from libs.opsdb.models import METADATA
from libs.opsdb.models.base import ENUMS, values_of
from tests.support.servers import READER

from .conftest import Database

pytestmark = pytest.mark.integration


async def differences(dsn: str, schema: str) -> list[Any]:
    engine = create_async_engine(
        make_url(dsn).set(drivername="postgresql+asyncpg"),
        connect_args={"server_settings": {"search_path": schema}},
    )

    def compare(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, METADATA))

    async with engine.connect() as connection:
        found = await connection.run_sync(compare)
    await engine.dispose()
    return [d for d in found if "alembic_version" not in str(d)]


@pytest.mark.parametrize("schema", ["public", "rebuilt", 'odd "name"'])
async def test_the_steps_make_what_the_models_say(empty: Database, schema: str) -> None:
    await migrate(empty.writer, schema)
    await migrate(empty.writer, schema)
    quoted = '"' + schema.replace('"', '""') + '"'
    assert await differences(empty.writer, quoted) == []


async def test_enums_are_those_of_the_contracts(database: Database) -> None:
    rows = await database.fetch(
        "SELECT typname, array_agg(enumlabel::text ORDER BY enumsortorder) AS labels "
        "FROM pg_type JOIN pg_enum ON enumtypid = pg_type.oid GROUP BY typname"
    )
    assert {r["typname"]: r["labels"] for r in rows} == {n: values_of(e) for e, n in ENUMS.items()}


async def test_much_updated_tables_keep_room(database: Database) -> None:
    [row] = await database.fetch("SELECT reloptions FROM pg_class WHERE relname = 'raw_data_file'")
    assert row["reloptions"] == ["fillfactor=80"]


REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")


async def test_every_step_is_a_start_of_the_way_to_the_newest() -> None:
    assert await known_revisions() == set(REVISIONS)
    assert await newest_revision() == REVISIONS[-1]


async def shape(database: Database, schema: str) -> dict[str, list[str]]:
    """Tables, columns, types, nullability, defaults, indexes, constraints and labels of a schema, without its name."""
    found = {}
    for what, query in SHAPE.items():
        rows = await database.fetch(query, schema)
        found[what] = sorted(str(tuple(row)).replace(f"{schema}.", "") for row in rows)
    return found


SHAPE = {
    "columns": "SELECT table_name, column_name, udt_name, is_nullable, column_default, character_maximum_length, "
    "numeric_precision FROM information_schema.columns WHERE table_schema = $1",
    "indexes": "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = $1",
    "constraints": "SELECT c.relname, k.conname, k.contype::text, pg_get_constraintdef(k.oid) FROM pg_constraint k "
    "JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1",
    "tables": "SELECT relname, relkind::text, reloptions FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = $1 AND relkind IN ('r', 'v', 'S')",
    "labels": "SELECT typname, enumlabel, enumsortorder FROM pg_type t JOIN pg_enum ON enumtypid = t.oid "
    "JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = $1",
    "words": "SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n "
    "ON n.oid = c.relnamespace WHERE n.nspname = $1 AND relkind = 'r'",
}


async def of_the_models(database: Database, schema: str) -> None:
    """Make the tables as the models say, without any step; Alembic's own is copied."""
    engine = create_async_engine(
        make_url(database.writer).set(drivername="postgresql+asyncpg"),
        connect_args={"server_settings": {"search_path": schema}},
    )
    async with engine.begin() as connection:
        await connection.execute(text(f"CREATE SCHEMA {schema}"))
        await connection.run_sync(METADATA.create_all)
        await connection.execute(
            text("CREATE TABLE alembic_version (LIKE public.alembic_version INCLUDING ALL)")
        )
        # CREATE TABLE ... LIKE names the key after its table.
        await connection.execute(
            text("ALTER TABLE alembic_version RENAME CONSTRAINT alembic_version_pkey TO alembic_version_pkc")
        )
    await engine.dispose()


@pytest.mark.parametrize("revision", REVISIONS[:-1])
async def test_from_every_step_the_way_leads_to_exactly_what_the_models_say(
    database: Database, revision: str
) -> None:
    await of_the_models(database, "models")
    wanted = await shape(database, "models")
    assert await shape(database, "public") == wanted
    await downgrade(database.writer, revision=revision)
    at = await database.fetch("SELECT version_num FROM alembic_version")
    assert [row["version_num"] for row in at] == [revision]
    assert await shape(database, "public") != wanted
    await migrate(database.writer)
    assert await shape(database, "public") == wanted


async def test_two_schemas_stand_side_by_side(database: Database) -> None:
    await migrate(database.writer, "rebuilt")
    rows = await database.fetch("SELECT schemaname FROM pg_tables WHERE tablename = 'raw_data_file'")
    assert sorted(row["schemaname"] for row in rows) == ["public", "rebuilt"]


async def test_the_way_back_leaves_nothing(database: Database) -> None:
    await downgrade(database.writer)
    tables = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    types = await database.fetch("SELECT typname FROM pg_type WHERE typtype = 'e'")
    assert [row["tablename"] for row in tables] == ["alembic_version"]
    assert types == []
    await migrate(database.writer, reader=READER)
    assert await differences(database.writer, "public") == []


async def test_the_reader_reads_and_cannot_write(database: Database) -> None:
    writer = await asyncpg.connect(database.writer)
    await writer.execute("CREATE TABLE later (id int)")
    await writer.close()
    reader = await asyncpg.connect(database.reader)
    try:
        assert await reader.fetch("SELECT * FROM raw_data_file") == []
        assert await reader.fetch("SELECT * FROM later") == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.execute("INSERT INTO site (name) VALUES ('x')")
    finally:
        await reader.close()


async def test_without_a_server_it_says_so() -> None:
    with pytest.raises(Retriable) as told:
        await migrate("postgresql://nobody@127.0.0.1:9/none")
    assert told.value.problem.code == "opsdb_unavailable"
