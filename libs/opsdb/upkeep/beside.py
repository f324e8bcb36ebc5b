"""Folding the log beside the live tables, up to where these are."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from nats.aio.client import Client

from libs.bus.connection import BusAddress, connect
from libs.opsdb.connecting import quoted, unavailable_as_retriable
from libs.opsdb.migrating import migrate
from libs.opsdb.models import METADATA
from libs.opsdb.projection.reconciling import Conclusions, conclude
from libs.opsdb.rebuild import LogStream, fold_on
from libs.opsdb.upkeep.claim import Claim
from libs.opsdb.upkeep.crew import Crew, Part, Workplace
from libs.opsdb.upkeep.indexes import PutOff, build, put_off
from libs.opsdb.upkeep.logs import require_whole
from libs.opsdb.upkeep.progress import Progress, Stage, Tell
from libs.opsdb.writer import OpsDbWriter

NEAR = 1000
"""So few events are left for the last round, in which the live tables stand still."""

LONG = 20_000
"""So many events are worth the start of processes."""

PART = 10_000


class Beside:
    """The tables beside the live ones, and how far they are.

    Attributes:
        events: How many events were folded.
    """

    def __init__(
        self, nc: Client, bus: BusAddress, claim: Claim, streams: Sequence[LogStream], tell: Tell
    ) -> None:
        self._nc = nc
        self._bus = bus
        self._claim = claim
        self._streams = {stream.name: stream for stream in streams}
        self._tell = tell
        self._put_off = PutOff()
        self._drawing = Conclusions.LATER
        self._crew: Crew | None = None
        self.events = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, bus: BusAddress, claim: Claim, streams: Sequence[LogStream], tell: Tell
    ) -> AsyncIterator["Beside"]:
        """Connect to the server that has the streams; nothing is made yet.

        Args:
            bus: The server that has the streams.
            claim: The right to make the tables.
            streams: All streams that the live tables are folded from.
            tell: Shown how far it is.

        Raises:
            Retriable: ``bus_unavailable``.
        """
        nc = await connect(bus, name=claim.name)
        try:
            yield cls(nc, bus, claim, streams, tell)
        finally:
            await nc.close()

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[OpsDbWriter]:
        """Writes to these tables."""
        dsn, schema, name = self._claim.dsn, self._claim.beside, self._claim.name
        async with OpsDbWriter.open(dsn, schema=schema, name=name, drawing=self._drawing) as writer:
            yield writer

    async def make(self, reader: str | None = None) -> None:
        """Make the tables, without some indexes, and fold until the live ones are near. Conclusions wait.

        Args:
            reader: A role that may read them.

        Raises:
            Permanent: See `require_whole`.
            Retriable: Likewise; ``opsdb_unavailable``.
        """
        live = await self._claim.positions()
        await self._require_whole(live)
        self._tell(Progress(Stage.PREPARING))
        async with self._crew_for(_left({}, live)):
            await migrate(self._claim.dsn, self._claim.beside, reader=reader)
            with unavailable_as_retriable():
                self._put_off = await put_off(self._claim.connection, self._claim.beside)
            await self.approach()

    async def complete(self) -> None:
        """Draw all conclusions, make the indexes that are not there yet, and have PostgreSQL look at the tables."""
        connection, schema = self._claim.connection, quoted(self._claim.beside)
        async with self.writer() as writer, writer.transaction("read_committed") as own:
            await conclude(own)
        self._drawing = Conclusions.AT_ONCE
        with unavailable_as_retriable():
            await build(self._claim.dsn, self._claim.name, self._put_off, self._tell)
            self._put_off = PutOff()
            await connection.execute(f"ANALYZE {', '.join(f'{schema}.{name}' for name in METADATA.tables)}")

    async def approach(self) -> None:
        """Fold on while the live tables move on, until they are near or do not come nearer."""
        async with self.writer() as writer:
            before = None
            while True:
                live = await self._claim.positions()
                left = _left(await writer.positions(), live)
                if left <= NEAR or (before is not None and left >= before):
                    return
                before = left
                if left > LONG and self._crew is not None:
                    await self._fold_together(self._crew, await writer.positions(), live)
                else:
                    await self.fold(writer, live)

    async def fold(self, writer: OpsDbWriter, live: Mapping[str, int]) -> None:
        """Fold up to exactly these positions.

        Raises:
            Permanent: See `require_whole`.
            Retriable: Likewise; ``opsdb_unavailable``.
        """
        await self._require_whole(live)
        total = self.events + _left(await writer.positions(), live)
        self._count(0, total)
        for name, last in live.items():
            await fold_on(self._nc, writer, self._streams[name], last, lambda n: self._count(n, total))

    @asynccontextmanager
    async def _crew_for(self, events: int) -> AsyncIterator[None]:
        """Processes that fold, while the block lasts, if there is enough to do."""
        if events <= LONG:
            yield
            return
        place = Workplace(self._bus, self._claim.dsn, self._claim.beside, self._claim.name)
        async with Crew.open(place) as crew:
            self._crew = crew
            try:
                yield
            finally:
                self._crew = None

    async def _fold_together(self, crew: Crew, reached: Mapping[str, int], live: Mapping[str, int]) -> None:
        await self._require_whole(live)
        total = self.events + _left(reached, live)
        self._count(0, total)
        parts = [
            Part(self._streams[name], first, min(first + PART - 1, last))
            for name, last in live.items()
            for first in range(reached.get(name, 0) + 1, last + 1, PART)
        ]
        await crew.fold(parts, lambda n: self._count(n, total))

    async def _require_whole(self, live: Mapping[str, int]) -> None:
        await require_whole(self._nc, tuple(self._streams.values()), live)

    def _count(self, events: int, total: int) -> None:
        self.events += events
        self._tell(Progress(Stage.FOLDING, self.events, total))


def _left(reached: Mapping[str, int], live: Mapping[str, int]) -> int:
    return sum(live.values()) - sum(reached.get(name, 0) for name in live)
