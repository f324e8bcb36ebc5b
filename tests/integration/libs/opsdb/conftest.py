"""A database of its own for each test, on the run's PostgreSQL."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from libs.opsdb.migrating import migrate
from tests.support.servers import READER, READER_PASSWORD, WRITER, WRITER_PASSWORD, TestServers


@dataclass(frozen=True)
class Database:
    """An empty database that the writer owns.

    Attributes:
        admin: Address with the superuser's role; `writer` and `reader` are those of the roles.
    """

    admin: str
    writer: str
    reader: str

    async def execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self.admin)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.admin)
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()


@pytest.fixture
async def empty(servers: TestServers) -> AsyncIterator[Database]:
    """A database without any table."""
    name = f"opsdb_{secrets.token_hex(6)}"
    admin = await asyncpg.connect(servers.dsn("postgres"))
    try:
        await admin.execute(f"CREATE DATABASE {name} OWNER {WRITER}")
        yield Database(
            servers.dsn(name),
            servers.dsn(name, WRITER, WRITER_PASSWORD),
            servers.dsn(name, READER, READER_PASSWORD),
        )
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture
async def database(empty: Database) -> Database:
    """A database with this release's tables."""
    await migrate(empty.writer, reader=READER)
    return empty
