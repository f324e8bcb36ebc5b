"""What folding does not look through in new tables: made once, at the end, instead of row by row."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

import asyncpg

from libs.opsdb.connecting import quoted
from libs.opsdb.upkeep.progress import Progress, Stage, Tell

NEEDED = frozenset({"ix_raw_data_file_raw_data_package_id"})
"""What a statement of `libs.opsdb.projection` looks through, beside primary and unique keys, while the conclusions wait.

A package that is given up releases its files by it.
"""

_AT_ONCE = 2


class PutOff(NamedTuple):
    """The statements that make again what was dropped."""

    indexes: Sequence[str] = ()
    keys: Sequence[str] = ()


async def put_off(connection: asyncpg.Connection, schema: str) -> PutOff:
    """Drop the other indexes, and the foreign keys; returns the statements that make them again.

    A foreign key is looked at row by row, too: whatever refers to a row is written with it.
    """
    indexes = await connection.fetch(_INDEXES, schema, list(NEEDED))
    keys = await connection.fetch(_FOREIGN_KEYS, schema)
    again = []
    for row in indexes:
        await connection.execute(f"DROP INDEX {quoted(schema)}.{quoted(row['name'])}")
    for row in keys:
        table, name = f"{quoted(schema)}.{quoted(row['relname'])}", quoted(row["name"])
        await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        again.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {row['definition']}")
    return PutOff([row["indexdef"] for row in indexes], again)


_INDEXES = """
    SELECT c.relname AS name, pg_get_indexdef(c.oid) AS indexdef
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND NOT i.indisunique AND c.relname <> ALL($2::name[])
    ORDER BY 1
"""

_FOREIGN_KEYS = """
    SELECT c.relname, k.conname AS name, pg_get_constraintdef(k.oid) AS definition
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND k.contype = 'f'
    ORDER BY 1, 2
"""


async def build(dsn: str, name: str, statements: PutOff, tell: Tell) -> None:
    """Make what `put_off` has dropped: indexes by two connections at once, then the foreign keys.

    Args:
        dsn: With the role that owns the tables.
        name: What PostgreSQL calls the connections.
        statements: As `put_off` has returned them.
        tell: Shown how far it is.
    """
    total = len(statements.indexes) + len(statements.keys)
    done = 0
    waiting = deque(statements.indexes)

    async def lend(connection: asyncpg.Connection, some: deque[str]) -> None:
        nonlocal done
        while some:
            statement = some.popleft()
            tell(Progress(Stage.INDEXING, done, total, _name_in(statement)))
            await connection.execute(statement)
            done += 1

    async with AsyncExitStack() as stack:
        connections = []
        for _ in range(_AT_ONCE):
            settings = {"application_name": name, "statement_timeout": "0"}
            connections.append(await asyncpg.connect(dsn, server_settings=settings))
            stack.callback(connections[-1].terminate)
        await asyncio.gather(*(lend(connection, waiting) for connection in connections))
        await lend(connections[0], deque(statements.keys))


def _name_in(statement: str) -> str:
    before, marked, after = statement.partition(" ADD CONSTRAINT ")
    return after.split(" ")[0].strip('"') if marked else before.split(" ON ")[0].rpartition(" ")[2]
