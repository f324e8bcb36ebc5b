"""What was moved before, as ops-db knows it once it has applied all that is in the log now."""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self
from uuid import UUID

from nats.aio.client import Client

from contracts.subjects import events_stream
from libs.bus.extent import last_sequence
from libs.opsdb.reader import OpsDbReader
from services.mover.queries import is_completed

APPLIED_WITHIN_S = 1.0
"""Enough for a projection that keeps up; bytes are not held up by one that does not."""


class Past:
    """Answers about earlier transfers while it is entered. Nothing is connected before it is asked.

    Args:
        client: Connected to the site's server.
        dsn: Of the site's ops-db.
        site: The site.
    """

    def __init__(self, client: Client, dsn: str, site: str) -> None:
        self._client = client
        self._dsn = dsn
        self._stream = events_stream(site)
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._opened: OpsDbReader | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened = None
        await self._stack.aclose()

    async def completed(self, transfer: UUID) -> bool:
        """Whether a transfer has been completed.

        Raises:
            Retriable: It cannot be told now: ``bus_unavailable``, ``opsdb_unavailable`` or ``projection_lags``.
        """
        last = await last_sequence(self._client, self._stream)
        opsdb = await self.reader()
        await opsdb.wait_applied(self._stream, last, timeout=APPLIED_WITHIN_S)
        return await is_completed(opsdb, transfer)

    async def reader(self) -> OpsDbReader:
        """The site's ops-db, connected when it is needed.

        Raises:
            Retriable: ``opsdb_unavailable``.
        """
        async with self._opening:
            if self._opened is None:
                reader = OpsDbReader.open(self._dsn, most=4)
                self._opened = await self._stack.enter_async_context(reader)
            return self._opened
