"""What was moved before, as ops-db knows it once it has applied all that is in the log now."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from nats.aio.client import Client

from contracts.subjects import events_stream
from libs.bus.extent import last_sequence
from libs.opsdb.reader import OpsDbReader
from services.mover.queries import is_completed

APPLIED_WITHIN_S = 1.0
"""Enough for a projection that keeps up; bytes are not held up by one that does not."""


class Past:
    """Answers about earlier transfers.

    Args:
        client: Connected to the site's server.
        opsdb: Gives the site's ops-db, once it is there.
        site: The site.
    """

    def __init__(self, client: Client, opsdb: Callable[[], Awaitable[OpsDbReader]], site: str) -> None:
        self._client = client
        self._opsdb = opsdb
        self._stream = events_stream(site)

    async def completed(self, transfer: UUID) -> bool:
        """Whether a transfer has been completed.

        Raises:
            Retriable: It cannot be told now: ``bus_unavailable``, ``opsdb_unavailable`` or ``projection_lags``.
        """
        last = await last_sequence(self._client, self._stream)
        opsdb = await self._opsdb()
        await opsdb.wait_applied(self._stream, last, timeout=APPLIED_WITHIN_S)
        return await is_completed(opsdb, transfer)
