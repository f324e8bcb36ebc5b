"""Bringing a database to the schema of this release.

The steps name no schema: they run with a `search_path` of the one schema that is wanted, so that a rebuild
can stand beside the live tables.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from libs.opsdb.connecting import quoted, unavailable_as_retriable

STEPS = Path(__file__).parent / "migrations"


async def migrate(dsn: str, schema: str = "public", *, reader: str | None = None) -> None:
    """Create or bring up to date the tables in `schema`, which is made if it is not there.

    Args:
        dsn: Of a role that may create in the database; it will own the tables (the projector's role).
        schema: Where the tables are to be.
        reader: An existing role that may read all tables, present and future; none if left out.

    Raises:
        Retriable: ``opsdb_unavailable``.
    """

    def upgrade(connection: Connection) -> None:
        command.upgrade(_config(connection, schema), "head")
        if reader is not None:
            _let_read(connection, schema, reader)

    await _within(dsn, schema, upgrade)


async def downgrade(dsn: str, schema: str = "public", *, revision: str = "base") -> None:
    """Take the tables in `schema` back to an older step (``base``: none are left).

    Raises:
        Retriable: ``opsdb_unavailable``.
    """
    await _within(dsn, schema, lambda connection: command.downgrade(_config(connection, schema), revision))


async def newest_revision() -> str | None:
    """The step that this release brings the tables to."""
    return await asyncio.to_thread(ScriptDirectory(str(STEPS)).get_current_head)


async def known_revisions() -> frozenset[str]:
    """Every step that this release knows."""

    def walk() -> frozenset[str]:
        return frozenset(script.revision for script in ScriptDirectory(str(STEPS)).walk_revisions())

    return await asyncio.to_thread(walk)


async def stored_revision(connection: asyncpg.Connection) -> str | None:
    """The step that the tables are at, in the schema that a connection looks at; None if there is none.

    Raises:
        Retriable: ``opsdb_unavailable``.
    """
    with unavailable_as_retriable():
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return revision


async def _within(dsn: str, schema: str, work: Callable[[Connection], None]) -> None:
    # Alembic is synchronous and busy for a while: it gets a thread with an event loop of its own.
    with unavailable_as_retriable():
        await asyncio.to_thread(asyncio.run, _connected(dsn, schema, work))


async def _connected(dsn: str, schema: str, work: Callable[[Connection], None]) -> None:
    engine = create_async_engine(
        make_url(dsn).set(drivername="postgresql+asyncpg"),
        poolclass=NullPool,
        connect_args={"server_settings": {"search_path": quoted(schema)}},
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}"))
            await connection.run_sync(work)
    finally:
        await engine.dispose()


def _config(connection: Connection, schema: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(STEPS).replace("%", "%%"))
    config.attributes.update(connection=connection, schema=schema)
    return config


def _let_read(connection: Connection, schema: str, reader: str) -> None:
    there, role = quoted(schema), quoted(reader)
    for grant in (
        f"GRANT USAGE ON SCHEMA {there} TO {role}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {there} TO {role}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {there} GRANT SELECT ON TABLES TO {role}",
    ):
        connection.execute(text(grant))
