"""What folding does not look through in new tables: made once, at the end, instead of row by row."""

import asyncpg

from libs.opsdb.connecting import quoted
from libs.opsdb.upkeep.progress import Progress, Stage, Tell

NEEDED = frozenset({"ix_raw_data_file_raw_data_package_id"})
"""What a statement of `libs.opsdb.projection` looks through, beside primary and unique keys, while the conclusions wait.

A package that is given up releases its files by it.
"""


async def put_off(connection: asyncpg.Connection, schema: str) -> list[str]:
    """Drop the other indexes, and the foreign keys; returns the statements that make them again.

    A foreign key is looked at row by row, too: whatever refers to a row is written with it.
    """
    indexes = await connection.fetch(_INDEXES, schema)
    keys = await connection.fetch(_FOREIGN_KEYS, schema)
    again = [row["indexdef"] for row in indexes if row["name"] not in NEEDED]
    for row in indexes:
        if row["name"] not in NEEDED:
            await connection.execute(f"DROP INDEX {quoted(schema)}.{quoted(row['name'])}")
    for row in keys:
        table, name = f"{quoted(schema)}.{quoted(row['relname'])}", quoted(row["name"])
        await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        again.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {row['definition']}")
    return again


_INDEXES = """
    SELECT c.relname AS name, pg_get_indexdef(c.oid) AS indexdef
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND NOT i.indisunique
    ORDER BY 1
"""

_FOREIGN_KEYS = """
    SELECT c.relname, k.conname AS name, pg_get_constraintdef(k.oid) AS definition
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND k.contype = 'f'
    ORDER BY 1, 2
"""


async def build(connection: asyncpg.Connection, statements: list[str], tell: Tell) -> None:
    """Make what `put_off` has dropped."""
    for done, statement in enumerate(statements):
        tell(Progress(Stage.INDEXING, done, len(statements), _name_in(statement)))
        await connection.execute(statement)


def _name_in(statement: str) -> str:
    before, marked, after = statement.partition(" ADD CONSTRAINT ")
    return after.split(" ")[0].strip('"') if marked else before.split(" ON ")[0].rpartition(" ")[2]
