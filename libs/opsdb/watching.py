"""Hearing from PostgreSQL how far the projector is."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Self

import asyncpg

from libs.ending import end
from libs.opsdb.connecting import FAULTS, applied_channel, is_away
from libs.telemetry.logs import logger

_log = logger("opsdb")

_RECONNECT_AFTER_S = 0.5
_LOOK_EVERY_S = 1.0
"""A notification can be missed while the listening connection is down: then a look at the table tells."""


class PositionWatch:
    """Knows the highest position heard of each stream, and wakes those who wait for one."""

    def __init__(self, dsn: str, schema: str, settings: Mapping[str, str]) -> None:
        self._dsn = dsn
        self._channel = applied_channel(schema)
        self._settings = dict(settings)
        self._seen: dict[str, int] = defaultdict(int)
        self._waiting: dict[str, list[tuple[int, asyncio.Future[None]]]] = defaultdict(list)

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str, schema: str, settings: Mapping[str, str]) -> AsyncIterator[Self]:
        """Listen, and go on listening over restarts of PostgreSQL, until the block is left."""
        watch = cls(dsn, schema, settings)
        listening = asyncio.create_task(watch._listen_for_ever())
        try:
            yield watch
        finally:
            await end(listening)

    def seen(self, stream: str) -> int:
        """The highest position heard of."""
        return self._seen[stream]

    async def reached(
        self, stream: str, sequence: int, within: float, look: Callable[[], Awaitable[int]]
    ) -> int:
        """Wait until a stream's position is at least `sequence`, for `within` seconds at most.

        Args:
            stream: Its stream.
            sequence: Its sequence there.
            within: Seconds.
            look: Reads the position from the table; asked at once and every now and then.

        Returns:
            The highest position known at the end.
        """
        deadline = asyncio.get_running_loop().time() + within
        while True:
            arrived = asyncio.get_running_loop().create_future()
            entry = (sequence, arrived)
            self._waiting[stream].append(entry)
            try:
                # The look comes after the place in the queue: what is applied in between wakes the future.
                self._heard(stream, await look())
                left = deadline - asyncio.get_running_loop().time()
                with suppress(TimeoutError):
                    await asyncio.wait_for(arrived, max(0.0, min(left, _LOOK_EVERY_S)))
            finally:
                with suppress(ValueError):
                    self._waiting[stream].remove(entry)
            if self._seen[stream] >= sequence or left <= _LOOK_EVERY_S:
                return self._seen[stream]

    def _heard(self, stream: str, sequence: int) -> None:
        if sequence <= self._seen[stream]:
            return
        self._seen[stream] = sequence
        still: list[tuple[int, asyncio.Future[None]]] = []
        for wanted, arrived in self._waiting[stream]:
            if wanted > sequence:
                still.append((wanted, arrived))
            elif not arrived.done():
                arrived.set_result(None)
        self._waiting[stream] = still

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen_once()
            except FAULTS as error:
                if not is_away(error):
                    raise
                _log.warning("not listening", reason=str(error))
            # What was heard may have been taken back by a crash of PostgreSQL.
            self._seen.clear()
            await asyncio.sleep(_RECONNECT_AFTER_S)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(self._dsn, server_settings=self._settings)
        try:
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(self._channel, self._notified)
            if not connection.is_closed():
                await lost.wait()
        finally:
            connection.terminate()

    def _notified(self, _connection: object, _pid: int, _on: str, payload: object) -> None:
        stream, _, sequence = str(payload).rpartition(":")
        self._heard(stream, int(sequence))
