"""The projector's way into the ops-db.

`synchronous_commit` is off: a commit returns before it is on disk, and a crash of PostgreSQL may take the
last ones back. Nothing is lost by that, since the log is the truth and the position goes back in the same
transaction: what was taken back is folded again. The tables are never inconsistent.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import asyncpg

from libs.errors import Retriable
from libs.opsdb.connecting import Isolation, quoted, unavailable_as_retriable
from libs.opsdb.locking import Session, end_holder, holder_of, lock_key, try_lock
from libs.opsdb.projection.applying import Applied, Batch, apply, positions
from libs.opsdb.projection.reconciling import Conclusions

_SESSION = {
    "synchronous_commit": "off",
    "jit": "off",
    # Statements are prepared once, when tables may be small; whatever grows, their keys have an index.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
}
_STATEMENTS = 1024


class OpsDbWriter:
    """One connection, which holds the right to write for as long as it lives."""

    def __init__(self, connection: asyncpg.Connection, lock: int, drawing: Conclusions) -> None:
        self._connection = connection
        self._lock = lock
        self._drawing = drawing

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        dsn: str,
        *,
        schema: str = "public",
        name: str = "chasqui projector",
        drawing: Conclusions = Conclusions.AT_ONCE,
    ) -> AsyncIterator[Self]:
        """Connect; nothing is written before `try_claim` says yes.

        Args:
            dsn: With the role that owns the tables.
            schema: Where the tables are.
            name: What PostgreSQL calls the connection.
            drawing: When the conclusions from what is written are drawn.

        Raises:
            Retriable: ``opsdb_unavailable``.
        """
        with unavailable_as_retriable():
            connection = await asyncpg.connect(
                dsn,
                server_settings={**_SESSION, "application_name": name, "search_path": quoted(schema)},
                statement_cache_size=_STATEMENTS,
                max_cached_statement_lifetime=0,
            )
        try:
            yield cls(connection, lock_key(schema), drawing)
        finally:
            # An orderly goodbye may wait for a server that is away: the connection is simply dropped.
            connection.terminate()

    async def try_claim(self) -> bool:
        """Whether this is now the one writer. Another one may be: then ask again later.

        Raises:
            Retriable: ``opsdb_unavailable``.
        """
        with unavailable_as_retriable():
            return await try_lock(self._connection, self._lock)

    async def holder(self) -> Session | None:
        """Which session is the one writer; None if none is at this moment.

        Raises:
            Retriable: ``opsdb_unavailable``.
        """
        with unavailable_as_retriable():
            return await holder_of(self._connection, self._lock)

    async def end(self, holder: Session) -> None:
        """Take the right from a session, if it still has it: nothing of what it has under way is committed.

        Raises:
            Retriable: ``opsdb_unavailable``.
        """
        with unavailable_as_retriable():
            await end_holder(self._connection, self._lock, holder)

    async def positions(self) -> dict[str, int]:
        """The last applied sequence of each stream.

        Raises:
            Retriable: ``opsdb_unavailable``, or ``opsdb_not_prepared`` before the tables are made.
        """
        return await stored_positions(self._connection)

    async def apply(self, batch: Batch) -> Applied:
        """Apply a batch, all or nothing (see `libs.opsdb.projection.applying.apply`).

        Raises:
            Retriable: ``opsdb_unavailable``. Whether the batch was applied is then open; `positions` knows.
            asyncpg.PostgresError: Of `UNFOLDABLE`, if a value cannot be stored.
        """
        with unavailable_as_retriable():
            return await apply(self._connection, batch, self._drawing)

    async def lost(self) -> None:
        """Return when the connection is gone: the last commits may have been taken back since."""
        gone = asyncio.Event()
        self._connection.add_termination_listener(lambda _: gone.set())
        if not self._connection.is_closed():
            await gone.wait()

    @asynccontextmanager
    async def transaction(self, isolation: Isolation) -> AsyncIterator[asyncpg.Connection]:
        """One transaction around all that is applied in the block, and whatever else is done with its connection.

        Raises:
            Retriable: ``opsdb_unavailable``.
        """
        with unavailable_as_retriable():
            async with self._connection.transaction(isolation=isolation):
                yield self._connection


async def stored_positions(connection: asyncpg.Connection) -> dict[str, int]:
    """The last applied sequence of each stream, in the schema that a connection looks at.

    Raises:
        Retriable: ``opsdb_unavailable``, or ``opsdb_not_prepared`` before the tables are made.
    """
    try:
        with unavailable_as_retriable():
            return await positions(connection)
    except asyncpg.UndefinedTableError as error:
        raise Retriable(
            "opsdb_not_prepared",
            f"the ops-db has no tables yet: {error}",
            "Run `chasqui provision` for this site; the projector begins by itself afterwards.",
        ) from error
