"""The watchlist from ops-db: after a start, and for what an instance that died left behind."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.errors import Error as NatsError

from contracts.subjects import events_stream
from libs.bus.connection import unavailable
from libs.bus.delivery import Delivery
from libs.opsdb.reader import OpsDbReader
from services.scanner import queries
from services.scanner.scanner import Scanner
from services.scanner.watchlist import Watched

APPLIED_WITHIN_S = 30.0


class Recovery:
    """Compares the watchlist with ops-db.

    Args:
        client: Connected to the site's server.
        opsdb: The site's ops-db.
        site: The site.
        locations: Its SOURCE locations.
    """

    def __init__(self, client: Client, opsdb: OpsDbReader, *, site: str, locations: Sequence[str]) -> None:
        self._client = client
        self._opsdb = opsdb
        self._stream = events_stream(site)
        self._locations = locations
        self._reached = 0

    async def applied(self) -> int:
        """Wait until ops-db has applied what is in the log now, and return how far that is.

        Without it, a file whose FilesFiled another instance had acknowledged could be in neither place.

        Raises:
            Retriable: ``bus_unavailable``, ``projection_lags`` or ``opsdb_unavailable``.
        """
        try:
            info = await self._client.jetstream(timeout=5).stream_info(self._stream)
        except (NatsError, OSError, TimeoutError) as error:
            raise unavailable(str(self._client.connected_url), error) from error
        await self._opsdb.wait_applied(self._stream, info.state.last_seq, timeout=APPLIED_WITHIN_S)
        self._reached = max(self._reached, info.state.last_seq)
        return info.state.last_seq

    def knows(self, delivery: Delivery) -> bool:
        """Whether ops-db had applied an event before: what was to be done about it may have been done long ago."""
        return delivery.replayed or delivery.sequence <= self._reached

    async def forget_settled(self, scanner: Scanner) -> None:
        """Take off the watchlist what needs no looking any more, as others found it or it will not come.

        Raises:
            Retriable: As `applied`.
        """
        _, position, files = await self._looked_for()
        _forget(scanner, position, files)

    async def recover(self, scanner: Scanner) -> None:
        """Make the watchlist what ops-db says, apart from what came after the end of the log.

        Raises:
            Retriable: As `applied`.
        """
        end, position, files = await self._looked_for()
        _forget(scanner, position, files)
        for file in files:
            if file.wanted.file_id not in scanner.watchlist:
                scanner.adopt(_watched(file, end))

    async def _looked_for(self) -> tuple[int, int, list[queries.LookedFor]]:
        """The end of the log, how far ops-db is (that far, or farther), and the files that it says are looked for."""
        end = await self.applied()
        async with self._opsdb.snapshot(self._stream) as view:
            files = await queries.looked_for(view, self._stream, self._locations)
            return end, view.position, files


def _forget(scanner: Scanner, position: int, files: Sequence[queries.LookedFor]) -> None:
    still = {file.wanted.file_id for file in files}
    scanner.watchlist.drop(
        watched
        for watched in scanner.watchlist
        if watched.sequence <= position and watched.wanted.file_id not in still
    )


def monotonic_of(when: datetime | None) -> float:
    """The monotonic time of an instant in the past; of now for one in the future."""
    age = 0.0 if when is None else (datetime.now(UTC) - when).total_seconds()
    return time.monotonic() - max(0.0, age)


def _watched(file: queries.LookedFor, sequence: int) -> Watched:
    told = {file.told} if file.told is not None else set()
    return Watched(file.wanted, monotonic_of(file.filed_at), sequence, told=told)
