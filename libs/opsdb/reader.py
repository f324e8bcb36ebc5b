"""Everybody's way into the ops-db but the projector's: reading, and waiting for the projection."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import asyncpg

from libs.errors import Retriable
from libs.opsdb.connecting import Isolation, quoted, unavailable_as_retriable
from libs.opsdb.promises import Promises, Session
from libs.opsdb.watching import PositionWatch

_PREFETCH = 500

T = TypeVar("T")
Connected = asyncpg.pool.PoolConnectionProxy

OUTDATED: tuple[type[Exception], ...] = (
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
    asyncpg.UndefinedFunctionError,
    asyncpg.CannotCoerceError,
    asyncpg.DatatypeMismatchError,
    asyncpg.InternalServerError,
)
"""What a statement that was prepared before the tables were replaced may meet.

Tables that are replaced (`libs.opsdb.upkeep.exchanging`) come with enum types of their own, and a prepared statement
keeps the types of its parameters and results: an operator between the old and the new type is not there, or the old
type is not to be found any more (an internal error of PostgreSQL).
"""


@dataclass(frozen=True)
class Snapshot:
    """A view of the ops-db in which nothing moves.

    Attributes:
        position: The last sequence of the asked-for stream that this view contains; 0 before the first.
        connection: In a read-only transaction of its own, until the view is left.
    """

    position: int
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of a query."""
        with unavailable_as_retriable():
            return await self.connection.fetch(query, *arguments)

    async def iterate(self, query: str, *arguments: object) -> AsyncIterator[asyncpg.Record]:
        """The rows of a query, a few hundred in memory at a time."""
        with unavailable_as_retriable():
            async for row in self.connection.cursor(query, *arguments, prefetch=_PREFETCH):
                yield row


class OpsDbReader:
    """A pool of read-only connections, and one that listens to the projector.

    All methods raise Retriable ``opsdb_unavailable`` while PostgreSQL cannot be reached, and work again by
    themselves afterwards. Those that read raise Retriable ``opsdb_went_back`` rather than show less than `wait_applied`
    has promised (`libs.opsdb.promises`). They go on when the tables are replaced by a rebuild: connections that prepared their
    statements before are then replaced, too.
    """

    def __init__(self, pool: asyncpg.Pool, watch: PositionWatch, tables: int | None) -> None:
        self._pool = pool
        self._watch = watch
        self._tables = tables
        self._promises = Promises()

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str, *, schema: str = "public", most: int = 8) -> AsyncIterator[Self]:
        """Connect.

        Args:
            dsn: With the role that may only read.
            schema: Where the tables are.
            most: How many connections to use at most, besides the listening one.

        Raises:
            Retriable: ``opsdb_unavailable``.
        """
        settings = {
            "application_name": "chasqui reader",
            "search_path": quoted(schema),
            "default_transaction_read_only": "on",
            "jit": "off",
        }
        async with AsyncExitStack() as stack:
            with unavailable_as_retriable():
                pool = await asyncpg.create_pool(
                    dsn, min_size=1, max_size=most, server_settings=settings, connection_class=Session
                )
            stack.callback(pool.terminate)
            with unavailable_as_retriable():
                tables = await pool.fetchval(_TABLES)
            watch = await stack.enter_async_context(PositionWatch.open(dsn, schema, settings))
            yield cls(pool, watch, tables)

    async def position(self, stream: str) -> int:
        """The last applied sequence of a stream, whatever was promised; 0 before the first."""
        return int(await self._ask(lambda connection: connection.fetchval(_POSITION, stream), Promises()))

    async def wait_applied(self, stream: str, sequence: int, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - the deadline is part of what is promised
        """Return as soon as the tables contain the effect of this event; whatever is read afterwards contains it.

        Args:
            stream: Its stream.
            sequence: Its sequence there.
            timeout: Seconds to wait at most.

        Raises:
            Retriable: ``projection_lags`` after `timeout`, or ``opsdb_unavailable``.
        """
        if self._watch.seen(stream) >= sequence:
            self._promises.make(stream, sequence)
            return
        applied = await self._watch.reached(stream, sequence, timeout, lambda: self.position(stream))
        if applied < sequence:
            raise Retriable(
                "projection_lags",
                f"the ops-db has applied {stream} up to {applied}, not yet {sequence}, within {timeout:g} s",
                "Nothing, if it passes; otherwise look whether the projector runs and what it logs.",
            )
        self._promises.make(stream, sequence)

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of a query."""
        return await self._ask(lambda connection: connection.fetch(query, *arguments))

    async def fetchrow(self, query: str, *arguments: object) -> asyncpg.Record | None:
        """The first row of a query, if it has any."""
        return await self._ask(lambda connection: connection.fetchrow(query, *arguments))

    async def fetchval(self, query: str, *arguments: object) -> Any:  # noqa: ANN401 - of the column's type
        """The first column of the first row of a query; None without a row."""
        return await self._ask(lambda connection: connection.fetchval(query, *arguments))

    async def iterate(self, query: str, *arguments: object) -> AsyncIterator[asyncpg.Record]:
        """The rows of a query, however many, a few hundred in memory at a time."""
        with unavailable_as_retriable():
            async with self._transaction("read_committed") as connection:
                async for row in connection.cursor(query, *arguments, prefetch=_PREFETCH):
                    yield row

    @asynccontextmanager
    async def snapshot(self, stream: str) -> AsyncIterator[Snapshot]:
        """A view in which several queries see the same state, and how far it has applied a stream."""
        with unavailable_as_retriable():
            async with self._transaction("repeatable_read") as connection:
                position = await connection.fetchval(_POSITION, stream)
                yield Snapshot(position, connection)

    async def _ask(self, ask: Callable[[Connected], Awaitable[T]], promises: Promises | None = None) -> T:
        """Ask a single query, again if its statement is outdated. It reads only, so that twice does no harm."""
        promises = self._promises if promises is None else promises
        with unavailable_as_retriable():
            try:
                return await self._ask_once(ask, promises)
            except OUTDATED:
                await self._pool.expire_connections()
                return await self._ask_once(ask, promises)

    async def _ask_once(self, ask: Callable[[Connected], Awaitable[T]], promises: Promises) -> T:
        async with self._pool.acquire() as connection:
            await promises.keep(connection)
            return await ask(connection)

    @asynccontextmanager
    async def _transaction(self, isolation: Isolation) -> AsyncIterator[Connected]:
        """A transaction in which the tables are not replaced, with a connection that knows them."""
        async with AsyncExitStack() as stack:
            while True:
                known = self._tables
                connection = await stack.enter_async_context(self._pool.acquire())
                await stack.enter_async_context(connection.transaction(isolation=isolation, readonly=True))
                # Before the transaction's view is made: else it could be one from before an exchange that it
                # waited for, and see the new tables as they were then, behind the old ones.
                await connection.execute("LOCK TABLE stream_position IN ACCESS SHARE MODE")
                if await self._is_known(connection, known):
                    break
                await stack.pop_all().aclose()
            await self._promises.keep(connection)
            yield connection

    async def _is_known(self, connection: Connected, known: int | None) -> bool:
        """Whether the tables are those of when the connection was taken; if not, the next one taken is new."""
        tables = await connection.fetchval(_TABLES)
        if tables != self._tables:
            self._tables = tables
            await self._pool.expire_connections()
        return bool(tables == known)


_POSITION = "SELECT COALESCE(max(sequence), 0) FROM stream_position WHERE stream = $1"

_TABLES = "SELECT to_regclass('stream_position')::oid"
"""Another number once the tables were replaced."""
