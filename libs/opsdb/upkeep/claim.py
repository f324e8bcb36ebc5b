"""The right to work on an ops-db as a whole: one at a time, with nothing left behind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import asyncpg

from libs.errors import Retriable
from libs.opsdb.connecting import quoted, unavailable_as_retriable
from libs.opsdb.locking import holder_of, lock_key, try_lock
from libs.opsdb.writer import stored_positions

_NAME = "chasqui opsdb"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right, for as long as the connection lives.

    Attributes:
        connection: To the database, with the role that owns the tables and their schema in its search path.
        dsn: How others connect with that role.
        live: The schema of the tables that everybody uses.
    """

    connection: asyncpg.Connection
    dsn: str = field(repr=False)
    live: str

    @property
    def name(self) -> str:
        """What PostgreSQL calls the other connections of the work, so that the next one may end them."""
        return f"{_NAME} on {self.live}"

    @property
    def beside(self) -> str:
        """The schema into which the log is folded."""
        return f"chasqui_beside_{self.live}"

    @property
    def replaced(self) -> str:
        """The schema of tables that are no longer live, until they are dropped."""
        return f"chasqui_replaced_{self.live}"

    async def positions(self) -> dict[str, int]:
        """How far the live tables are, by stream.

        Raises:
            Retriable: ``opsdb_unavailable``, or ``opsdb_not_prepared`` before there are tables.
        """
        return await stored_positions(self.connection)

    async def clear(self) -> None:
        """Drop both schemas, if they are there, and end whoever still writes there for a holder that was killed."""
        with unavailable_as_retriable():
            await self.connection.fetch(_END_OTHERS, self.name)
            for schema in (self.beside, self.replaced):
                await self.connection.execute(f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE")


@asynccontextmanager
async def claimed(dsn: str, purpose: str, *, schema: str = "public") -> AsyncIterator[Claim]:
    """Hold the right while the block lasts; what an earlier holder left is removed, and so is what this one leaves.

    Args:
        dsn: With the role that owns the tables.
        purpose: One word, shown to whoever comes meanwhile.
        schema: The live tables.

    Raises:
        Retriable: ``upkeep_running``: somebody else holds it; ``opsdb_unavailable``; ``opsdb_not_prepared``.
    """
    with unavailable_as_retriable():
        connection = await asyncpg.connect(
            dsn,
            server_settings={
                "application_name": f"{_NAME} {purpose}",
                "search_path": quoted(schema),
                # PostgreSQL tells of each table that goes with a schema.
                "client_min_messages": "warning",
                "statement_timeout": "0",
                "jit": "off",
            },
        )
    try:
        claim = Claim(connection, dsn, schema)
        await _take(connection, schema)
        await claim.positions()
        await claim.clear()
        try:
            yield claim
        finally:
            with suppress(Retriable):
                await claim.clear()
    finally:
        connection.terminate()


_END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND application_name = $1
"""


async def _take(connection: asyncpg.Connection, schema: str) -> None:
    with unavailable_as_retriable():
        key = lock_key(schema, "upkeep")
        if await try_lock(connection, key):
            return
        holder = await holder_of(connection, key)
    who = (
        f"{holder.name.removeprefix(_NAME).strip()} runs since {holder.since:%Y-%m-%d %H:%M:%S %Z}"
        if holder
        else "another one ends at this moment"
    )
    raise Retriable(
        "upkeep_running",
        f"the ops-db is being rebuilt or verified: {who}",
        "Wait for it to end, or end it with Ctrl-C where it runs; whatever it leaves is removed.",
    )
