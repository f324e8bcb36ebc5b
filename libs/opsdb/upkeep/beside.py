"""Folding the log beside the live tables, up to where these are."""

from collections.abc import Mapping, Sequence

from nats.aio.client import Client

from libs.opsdb.migrating import migrate
from libs.opsdb.rebuild import LogStream, fold_on
from libs.opsdb.upkeep.claim import Claim
from libs.opsdb.upkeep.logs import require_whole
from libs.opsdb.upkeep.progress import Progress, Stage, Tell
from libs.opsdb.writer import OpsDbWriter

NEAR = 1000
"""So few events are left for the last round, in which the live tables stand still."""


class Beside:
    """The tables beside the live ones, and how far they are.

    Args:
        nc: A client of the server that has the streams.
        claim: The right to make them.
        dsn: With the role that owns the live tables.
        streams: All streams that the live tables are folded from.
        tell: Shown how far it is.
    """

    def __init__(self, nc: Client, claim: Claim, dsn: str, streams: Sequence[LogStream], tell: Tell) -> None:
        self._nc = nc
        self._claim = claim
        self._dsn = dsn
        self._streams = {stream.name: stream for stream in streams}
        self._tell = tell
        self._done = 0

    async def make(self, reader: str | None = None) -> None:
        """Make the tables, and fold until the live ones are near.

        Args:
            reader: A role that may read them.

        Raises:
            Permanent: See `require_whole`.
            Retriable: Likewise; ``opsdb_unavailable``.
        """
        await self.require_whole(await self._claim.positions())
        await migrate(self._dsn, self._claim.beside, reader=reader)
        await self.approach()

    async def approach(self) -> None:
        """Fold on while the live tables move on, until they are near or do not come nearer."""
        async with OpsDbWriter.open(self._dsn, schema=self._claim.beside) as writer:
            before = None
            while True:
                live = await self._claim.positions()
                left = _left(await writer.positions(), live)
                if left <= NEAR or (before is not None and left >= before):
                    return
                before = left
                await self.fold(writer, live)

    async def fold(self, writer: OpsDbWriter, live: Mapping[str, int]) -> None:
        """Fold up to exactly these positions.

        Raises:
            Permanent: See `require_whole`.
            Retriable: Likewise; ``opsdb_unavailable``.
        """
        await self.require_whole(live)
        total = self._done + _left(await writer.positions(), live)
        for name, last in live.items():
            if last:
                await fold_on(self._nc, writer, self._streams[name], last, lambda n: self._count(n, total))

    async def require_whole(self, live: Mapping[str, int]) -> None:
        """See `libs.opsdb.upkeep.logs.require_whole`."""
        await require_whole(self._nc, tuple(self._streams.values()), live)

    def _count(self, events: int, total: int) -> None:
        self._done += events
        self._tell(Progress(Stage.FOLDING, self._done, total))

    @property
    def events(self) -> int:
        """How many events were folded."""
        return self._done


def _left(reached: Mapping[str, int], live: Mapping[str, int]) -> int:
    return sum(live.values()) - sum(reached.get(name, 0) for name in live)
