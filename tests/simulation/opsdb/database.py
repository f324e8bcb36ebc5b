"""A site's PostgreSQL: the tables, who may write them, and those who wait for the projection."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from libs.errors import Retriable
from libs.opsdb.locking import Session
from libs.opsdb.projection.applying import Applied, Batch
from libs.opsdb.reader import Snapshot
from tests.simulation.active import world
from tests.simulation.kernel.loop import CURRENT
from tests.simulation.opsdb.answers import Answered, answer
from tests.simulation.opsdb.queries import ALL
from tests.simulation.opsdb.tables import Tables

assert ALL, "every query of the services is registered"

SCHEME = "simulated://"
REMEMBERED = 4
"""Commits that a crash may take back at most."""


@dataclass
class Database:
    """One server.

    Attributes:
        tables: What is committed.
        before: The tables before each of the last commits.
        up: Whether it answers.
        writer: The session that holds the right to write.
        sessions: How many there have been.
        waiting: Whoever waits for a position: stream, sequence, and what to wake.
        connected: Writers' connections: what tells each of its loss.
        asked: What was asked, if somebody wants to know: see `tests/integration/simulation`.
    """

    site: str
    tables: Tables
    before: deque[Tables] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    up: bool = True
    writer: "SimulatedWriter | None" = None
    sessions: int = 0
    waiting: list[tuple[str, int, asyncio.Future[None]]] = field(default_factory=list)
    connected: list[asyncio.Future[None]] = field(default_factory=list)
    asked: "list[Asked] | None" = None

    def answer(self, tables: Tables, query: str, arguments: Sequence[object]) -> list[Answered]:
        """The rows of a query to these tables, as they are or were."""
        rows = answer(tables, query, arguments)
        if self.asked is not None:
            reached = {stream: sequence for stream, (sequence, _) in tables.positions.items()}
            self.asked.append(Asked(reached, query, tuple(arguments), rows))
        return rows

    def commit(self, batch: Batch) -> Applied:
        """Apply a batch and wake those who wait for it."""
        if world().remembers_commits:
            self.before.append(self.tables.snapshot())
        before = self.tables.snapshot() if len(batch.happenings) > 1 else None
        applied = self.tables.apply(batch)
        world().committed(Commit(self.site, self.tables, batch, before))
        still = []
        for stream, sequence, arrived in self.waiting:
            if self.tables.position(stream) < sequence:
                still.append((stream, sequence, arrived))
            elif not arrived.done():
                arrived.set_result(None)
        self.waiting = still
        return applied

    def crash(self, commits: int) -> None:
        """Go away, and lose the last commits: they were answered before they were on disk."""
        self.up = False
        self.writer = None
        connected, self.connected = self.connected, []
        for lost in connected:
            if not lost.done():
                lost.set_result(None)
        for _ in range(min(commits, len(self.before))):
            self.tables = self.before.pop()
        world().taken_back(self)


class Asked(NamedTuple):
    """A query of a service, and its answer.

    Attributes:
        reached: By stream, how far the tables were.
    """

    reached: Mapping[str, int]
    query: str
    arguments: tuple[object, ...]
    rows: list[Answered]


@dataclass(frozen=True)
class Commit:
    """A transaction of the projector.

    Attributes:
        tables: What came out.
        before: What was there, of a batch of several events.
    """

    site: str
    tables: Tables
    batch: Batch
    before: Tables | None


class SimulatedReader:
    """Stands in for `OpsDbReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._promised: dict[str, int] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str, **_: Any) -> AsyncIterator[Self]:
        """As `OpsDbReader.open`."""
        database = world().databases[dsn.removeprefix(SCHEME)]
        await world().trip(f"connect to ops-db {database.site}")
        _require_up(database)
        yield cls(database)

    async def position(self, stream: str) -> int:
        """As `OpsDbReader.position`."""
        await self._asked("position")
        return self._database.tables.position(stream)

    async def wait_applied(self, stream: str, sequence: int, timeout: float = 5.0) -> None:
        """As `OpsDbReader.wait_applied`."""
        if self._database.up and self._database.tables.position(stream) >= sequence:
            self._promise(stream, sequence)
            return
        await self._asked(f"wait for {stream}:{sequence}")
        arrived = asyncio.get_running_loop().create_future()
        self._database.waiting.append((stream, sequence, arrived))
        try:
            if self._database.tables.position(stream) < sequence:
                async with asyncio.timeout(timeout):
                    await arrived
        except TimeoutError:
            raise Retriable(
                "projection_lags", f"{stream}:{sequence} was not applied in time", "Look at the projector."
            ) from None
        self._promise(stream, sequence)

    def _promise(self, stream: str, sequence: int) -> None:
        self._promised[stream] = max(sequence, self._promised.get(stream, 0))

    def _keep_promises(self) -> None:
        """As `libs.opsdb.promises`: tables that a crash has set back are told, not read."""
        for stream, sequence in self._promised.items():
            if self._database.tables.position(stream) < sequence:
                raise Retriable("opsdb_went_back", f"{stream}:{sequence} is gone again", "Nothing.")

    async def fetch(self, query: str, *arguments: object) -> list[Answered]:
        """As `OpsDbReader.fetch`."""
        await self._asked("query")
        self._keep_promises()
        return self._database.answer(self._database.tables, query, arguments)

    async def fetchrow(self, query: str, *arguments: object) -> Answered | None:
        """As `OpsDbReader.fetchrow`."""
        rows = await self.fetch(query, *arguments)
        return rows[0] if rows else None

    async def fetchval(self, query: str, *arguments: object) -> Any:
        """As `OpsDbReader.fetchval`."""
        row = await self.fetchrow(query, *arguments)
        return None if row is None else row[0]

    @asynccontextmanager
    async def snapshot(self, stream: str) -> AsyncIterator[Snapshot]:
        """As `OpsDbReader.snapshot`."""
        await self._asked("snapshot")
        self._keep_promises()
        tables = self._database.tables.snapshot()
        connection: Any = _View(self._database, tables)
        yield Snapshot(tables.position(stream), connection)

    async def _asked(self, what: str) -> None:
        await world().trip(f"ask ops-db {self._database.site}: {what}")
        _require_up(self._database)


class _View:
    """A connection in a transaction in which nothing moves."""

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database = database
        self._tables = tables

    async def fetch(self, query: str, *arguments: object) -> list[Answered]:
        await world().trip(f"ask ops-db {self._database.site}: query")
        _require_up(self._database)
        return self._database.answer(self._tables, query, arguments)


class SimulatedWriter:
    """Stands in for `OpsDbWriter`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._process = CURRENT.get()
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        database.connected.append(self._lost)
        database.sessions += 1
        self.session = Session(database.sessions, world().wall_clock(database.site), self._process.name)

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str, **_: Any) -> AsyncIterator[Self]:
        """As `OpsDbWriter.open`."""
        database = world().databases[dsn.removeprefix(SCHEME)]
        await world().trip(f"connect to ops-db {database.site}")
        _require_up(database)
        writer = cls(database)
        try:
            yield writer
        finally:
            writer.leave()

    @property
    def is_open(self) -> bool:
        """Whether the session lives: it ends with its process and with the server."""
        return self._process.alive and not self._lost.done()

    def leave(self) -> None:
        """End the session, and with it the right to write."""
        if not self._lost.done():
            self._lost.set_result(None)
        if self._database.writer is self:
            self._database.writer = None

    async def try_claim(self) -> bool:
        """As `OpsDbWriter.try_claim`."""
        await self._asked("claim")
        holder = self._database.writer
        if holder is None or not holder.is_open:
            self._database.writer = holder = self
        return holder is self

    async def holder(self) -> Session | None:
        """As `OpsDbWriter.holder`."""
        await self._asked("who writes")
        holder = self._database.writer
        return holder.session if holder is not None and holder.is_open else None

    async def end(self, holder: Session) -> None:
        """As `OpsDbWriter.end`."""
        await self._asked("end a session")
        writer = self._database.writer
        if writer is not None and writer.session == holder:
            writer.leave()

    async def positions(self) -> dict[str, int]:
        """As `OpsDbWriter.positions`."""
        await self._asked("positions")
        return {stream: sequence for stream, (sequence, _) in self._database.tables.positions.items()}

    async def lost(self) -> None:
        """As `OpsDbWriter.lost`."""
        await asyncio.shield(self._lost)

    async def apply(self, batch: Batch) -> Applied:
        """As `OpsDbWriter.apply`; whether a batch was applied is open if the answer does not come."""
        await self._asked("apply")
        if self._database.writer is not self:
            world().surprise("apply", AssertionError(f"{self._process.name} writes without the right to"))
        applied = self._database.commit(batch)
        await world().arrived(f"ops-db {self._database.site} applied")
        _require_up(self._database)
        return applied

    async def _asked(self, what: str) -> None:
        await world().trip(f"write ops-db {self._database.site}: {what}")
        _require_up(self._database)
        if self._lost.done():
            raise _unavailable("the connection was lost")


def _require_up(database: Database) -> None:
    if not database.up:
        raise _unavailable("it does not answer")


def _unavailable(what: str) -> Retriable:
    return Retriable("opsdb_unavailable", f"the ops-db: {what}", "Start it; the work goes on by itself.")
