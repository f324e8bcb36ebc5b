"""The steps make the models' tables, in any schema, for the reader to read and nobody else."""

from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from libs.errors import Retriable
from libs.opsdb.migrating import downgrade, migrate
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
