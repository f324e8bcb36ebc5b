"""What was moved before, as ops-db knows it once it has applied all that is in the log now."""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self
from uuid import UUID

from nats.aio.client import Client
from nats.errors import Error as NatsError

from contracts.subjects import events_stream
from libs.bus.connection import unavailable
from libs.opsdb.reader import OpsDbReader
from services.mover.queries import is_completed

APPLIED_WITHIN_S = 1.0
"""Enough for a projection that keeps up; bytes are not held up by one that does not."""

API_TIMEOUT_S = 5.0


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
        last = await self._last_sequence()
        opsdb = await self._opsdb()
        await opsdb.wait_applied(self._stream, last, timeout=APPLIED_WITHIN_S)
        return await is_completed(opsdb, transfer)

    async def _last_sequence(self) -> int:
        try:
            info = await self._client.jetstream(timeout=API_TIMEOUT_S).stream_info(self._stream)
        except (NatsError, OSError, TimeoutError) as error:
            raise unavailable(str(self._client.connected_url), error) from error
        return int(info.state.last_seq)

    async def _opsdb(self) -> OpsDbReader:
        async with self._opening:
            if self._opened is None:
                reader = OpsDbReader.open(self._dsn, most=2)
                self._opened = await self._stack.enter_async_context(reader)
            return self._opened
