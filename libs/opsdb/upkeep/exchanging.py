"""The one transaction in which the tables beside become the live ones.

Tables and types are moved, not schemas renamed: whatever else lives in the schema stays where it is, and so do the
rights on the schema itself.

Invariants:
    1. `stream_position` is locked first, for the projector and every `Snapshot` of a reader begin with it: nobody
       who waits for us there holds anything that we want.
    2. The other tables are all locked within less than `deadlock_timeout`, or given up: PostgreSQL would otherwise
       look for somebody to abort, and find a reader.
    3. Vacuums are ended before anybody is locked out: they give way only to who waits for `deadlock_timeout`.
    4. What is folded while the tables are locked is folded by the time `HOLD_S` is over, or everything is undone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import asyncpg

from libs.opsdb.connecting import quoted
from libs.opsdb.upkeep.inheriting import copy_grants, copy_settings

FIRST_LOCK_S = 2.0
"""Readers of positions may wait so long for a projector's transaction to end."""
HOLD_S = 5.0
VACUUM_S = 30.0

_FIRST = "stream_position"


class InUse(Exception):
    """Somebody uses the tables for too long, or the rest takes too long: try again in another moment."""


FoldRest = Callable[[Mapping[str, int]], Awaitable[None]]
"""Folds the tables beside up to exactly these positions, on the connection of the exchange."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Which schemas take whose place.

    Attributes:
        live: Whose tables go.
        beside: Whose tables come; it is gone afterwards.
        replaced: Where the tables go that were live; it is made.
    """

    live: str
    beside: str
    replaced: str


async def exchange(connection: asyncpg.Connection, schemas: Exchange, fold_rest: FoldRest) -> float:
    """Exchange the tables, within the open transaction of a connection.

    Args:
        connection: With the role that owns the tables of both schemas.
        schemas: Which.
        fold_rest: Called when the live tables cannot change any more.

    Returns:
        For how many seconds nobody could use the tables, up to now.

    Raises:
        InUse: The transaction is to be rolled back.
    """
    try:
        return await _exchange(connection, schemas, fold_rest)
    except (asyncpg.LockNotAvailableError, TimeoutError) as error:
        raise InUse(str(error) or f"the last events could not be folded within {HOLD_S:g} s") from error


async def _exchange(connection: asyncpg.Connection, schemas: Exchange, fold_rest: FoldRest) -> float:
    incoming = await _relations(connection, schemas.beside)
    outgoing = [name for name in await _relations(connection, schemas.live) if name in set(incoming)]
    await _stop_vacuums(connection, schemas, incoming, outgoing)
    begun = await _lock(connection, schemas.live, outgoing)
    async with asyncio.timeout(HOLD_S):
        await fold_rest(await _positions(connection, schemas.live))
        await copy_grants(connection, schemas.live, schemas.beside, outgoing)
        await copy_settings(connection, schemas.live, schemas.beside, outgoing)
        await _move(connection, schemas, incoming, outgoing)
    return time.monotonic() - begun


async def _relations(connection: asyncpg.Connection, schema: str) -> list[str]:
    """Tables and views, and sequences that belong to no column; nothing that an extension brought."""
    rows = await connection.fetch(_RELATIONS, schema)
    return [row["relname"] for row in rows]


_RELATIONS = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e')
    )
    ORDER BY c.relname
"""


async def _stop_vacuums(
    connection: asyncpg.Connection, schemas: Exchange, incoming: Iterable[str], outgoing: Iterable[str]
) -> None:
    """End those that run, and let none begin; it disturbs neither readers nor the projector."""
    await _wait_at_most(connection, VACUUM_S)
    for schema, names in ((schemas.beside, incoming), (schemas.live, outgoing)):
        await connection.execute(f"LOCK TABLE {_places(schema, names)} IN SHARE UPDATE EXCLUSIVE MODE")


async def _lock(connection: asyncpg.Connection, schema: str, names: list[str]) -> float:
    await _wait_at_most(connection, FIRST_LOCK_S)
    begun = time.monotonic()
    await connection.execute(f"LOCK TABLE {_places(schema, [_FIRST])} IN ACCESS EXCLUSIVE MODE")
    patience = await connection.fetchval(
        "SELECT setting::float / 1000 FROM pg_settings WHERE name = 'deadlock_timeout'"
    )
    deadline = time.monotonic() + 0.7 * patience
    for name in names:
        await _wait_at_most(connection, max(0.001, deadline - time.monotonic()))
        await connection.execute(f"LOCK TABLE {_places(schema, [name])} IN ACCESS EXCLUSIVE MODE")
    return begun


async def _wait_at_most(connection: asyncpg.Connection, seconds: float) -> None:
    await connection.execute(f"SET LOCAL lock_timeout TO {int(seconds * 1000)}")


async def _positions(connection: asyncpg.Connection, schema: str) -> dict[str, int]:
    rows = await connection.fetch(f"SELECT stream, sequence FROM {_places(schema, [_FIRST])}")  # noqa: S608 - quoted
    return {row["stream"]: row["sequence"] for row in rows}


async def _move(
    connection: asyncpg.Connection, schemas: Exchange, incoming: list[str], outgoing: list[str]
) -> None:
    types = await _types(connection, schemas.beside)
    gone = [name for name in await _types(connection, schemas.live) if name in set(types)]
    # In one go, for everybody waits: there are many tables, and each word to the server and back takes its time.
    steps = [
        f"CREATE SCHEMA {quoted(schemas.replaced)}",
        *(_moved("TABLE", name, schemas.live, schemas.replaced) for name in outgoing),
        *(_moved("TYPE", name, schemas.live, schemas.replaced) for name in gone),
        *(_moved("TABLE", name, schemas.beside, schemas.live) for name in incoming),
        *(_moved("TYPE", name, schemas.beside, schemas.live) for name in types),
    ]
    await connection.execute("; ".join(steps))
    # Without CASCADE: if a step of the migrations made something that was not moved, nothing was exchanged.
    await connection.execute(f"DROP SCHEMA {quoted(schemas.beside)}")


def _moved(kind: str, name: str, old: str, new: str) -> str:
    # ALTER TABLE moves views and sequences as well.
    return f"ALTER {kind} {quoted(old)}.{quoted(name)} SET SCHEMA {quoted(new)}"


async def _types(connection: asyncpg.Connection, schema: str) -> list[str]:
    rows = await connection.fetch(
        "SELECT t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
        "WHERE n.nspname = $1 AND t.typtype IN ('e', 'd') ORDER BY 1",
        schema,
    )
    return [row["typname"] for row in rows]


def _places(schema: str, names: Iterable[str]) -> str:
    return ", ".join(f"{quoted(schema)}.{quoted(name)}" for name in names)
