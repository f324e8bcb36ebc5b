"""The ops-db, connected when it is needed: for services that work without it."""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from libs.opsdb.reader import OpsDbReader


class OpsDbWhenNeeded:
    """Gives a reader while it is entered.

    Args:
        dsn: Of the site's ops-db.
        most: Connections, besides the listening one.
    """

    def __init__(self, dsn: str, *, most: int) -> None:
        self._dsn = dsn
        self._most = most
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

    async def __call__(self) -> OpsDbReader:
        """The reader.

        Raises:
            Retriable: ``opsdb_unavailable``.
        """
        async with self._opening:
            if self._opened is None:
                reader = OpsDbReader.open(self._dsn, most=self._most)
                self._opened = await self._stack.enter_async_context(reader)
            return self._opened
