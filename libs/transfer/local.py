"""The engine for local and mounted disks: side by side over files and over the chunks of large ones.

    engine = LocalEngine()
    report = await engine.transfer(items, progress=print, limit=RateLimit(100e6))

After a kill the next transfer of the same item copies only the chunks that were not yet synced.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from libs.bus.pulse import turn
from libs.ending import end
from libs.errors import ChasquiError, Permanent, Retriable, UserError
from libs.groups import TaskGroup
from libs.storage.files import full_or
from libs.transfer.copying import Pace
from libs.transfer.engine import (
    AlreadyThere,
    Cancel,
    Copied,
    Failed,
    Outcome,
    ProgressSink,
    Recovery,
    TransferItem,
    TransferReport,
)
from libs.transfer.filecopy import FileCopy, is_there
from libs.transfer.progress import Meter, tell
from libs.transfer.ratelimit import RateLimit
from libs.transfer.room import check_room

MIB = 1 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """How hard the engine works.

    Attributes:
        streams: Threads that copy at once, and files that are open at once.
        chunk: Bytes after which a large file is synced and journalled; what a kill can cost per stream.
        block: Bytes copied between two looks at limit and stop button.
        reserve: Bytes that are to stay free at the destination.
    """

    streams: int = 4
    chunk: int = 64 * MIB
    block: int = 4 * MIB
    reserve: int = 0


class LocalEngine:
    """Copies between folders that this machine can reach; see `libs.transfer.engine.TransferEngine`."""

    def __init__(self, settings: LocalSettings | None = None) -> None:
        self._settings = settings or LocalSettings()

    async def transfer(
        self,
        items: Sequence[TransferItem],
        *,
        progress: ProgressSink,
        limit: RateLimit | None = None,
        cancel: Cancel | None = None,
    ) -> TransferReport:
        """Copy every item; see `TransferEngine.transfer`.

        Raises:
            Retriable: `disk_full` before anything was begun.
            UserError: `transfer_items_clash` when two items share an id or a destination.
        """
        started = time.monotonic()
        _check_distinct(items)
        await asyncio.to_thread(check_room, items, self._settings.reserve)
        meter = Meter(sum(item.size for item in items))
        async with AsyncExitStack() as stack:
            pool = ThreadPoolExecutor(self._settings.streams, thread_name_prefix="transfer")
            stack.push_async_callback(asyncio.to_thread, pool.shutdown)
            run = _Run(self._settings, pool, meter, limit, cancel or Cancel())
            teller = asyncio.create_task(tell(meter, progress))
            stack.push_async_callback(end, teller)
            outcomes = await run.all(items)
        progress(meter.read())
        return TransferReport(tuple(outcomes), time.monotonic() - started)


class _Run:
    """One call of `transfer`."""

    def __init__(
        self,
        settings: LocalSettings,
        pool: ThreadPoolExecutor,
        meter: Meter,
        limit: RateLimit | None,
        cancel: Cancel,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._meter = meter
        self._limit = limit
        self._cancel = cancel
        self._gone = Cancel()
        self._open_files = asyncio.Semaphore(settings.streams)

    async def all(self, items: Sequence[TransferItem]) -> list[Outcome]:
        """Copy every item; a cancelled task stops its threads within a block."""
        try:
            async with TaskGroup() as group:
                tasks = [group.create_task(self._one(item)) for item in items]
        finally:
            self._gone.set()
        return [task.result() for task in tasks]

    async def _one(self, item: TransferItem) -> Outcome:
        async with turn(self._open_files):
            try:
                if await self._in_pool(partial(is_there, item, self._pace())):
                    self._meter.found(item.size)
                    return AlreadyThere(item)
                return await self._copy(item)
            except (ChasquiError, OSError) as error:
                return _failed(item, error)

    async def _copy(self, item: TransferItem) -> Copied:
        copy = await self._open(item)
        try:
            self._meter.found(copy.kept)
            pace = self._pace(copy.stop)
            chunks = [self._in_pool(partial(copy.copy_chunk, index, pace)) for index in copy.missing]
            moved = await _all_or_first_error(chunks)
            await self._in_pool(partial(copy.finish, pace))
        finally:
            copy.stop.set()
            await asyncio.shield(self._in_pool(copy.close))
        return Copied(item, sum(moved))

    async def _open(self, item: TransferItem) -> FileCopy:
        """Open both ends; a task that is cancelled meanwhile closes them again."""
        opening = self._in_pool(partial(FileCopy, item, self._settings.chunk, self._pace()))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            with suppress(ChasquiError, OSError):  # it was not opened: nothing to close
                (await opening).close()
            raise

    def _pace(self, *stops: Cancel) -> Pace:
        return Pace(self._settings.block, self._limit, (self._cancel, self._gone, *stops), self._meter.moved)

    def _in_pool(self, job: Callable[[], T]) -> asyncio.Future[T]:
        # With the context of the task: a thread of the pool beats the pulse of the handler it works for.
        return asyncio.get_running_loop().run_in_executor(self._pool, copy_context().run, job)


async def _all_or_first_error(chunks: Sequence[asyncio.Future[int]]) -> list[int]:
    """Wait for every chunk; the first one that failed has stopped the others, and its error is the one told."""
    settled = await asyncio.gather(*chunks, return_exceptions=True)
    errors = [result for result in settled if isinstance(result, BaseException)]
    if errors:
        raise min(errors, key=_is_consequence)
    return [result for result in settled if isinstance(result, int)]


def _is_consequence(error: BaseException) -> bool:
    return isinstance(error, ChasquiError) and error.problem.code == "transfer_cancelled"


def _failed(item: TransferItem, error: ChasquiError | OSError) -> Failed:
    told = _explained(item, error) if isinstance(error, OSError) else error
    recovery = Recovery.RETRY if isinstance(told, Retriable) else Recovery.PERSON
    return Failed(item, told.problem, recovery)


def _explained(item: TransferItem, error: OSError) -> ChasquiError:
    full = full_or(error, item.destination)
    if isinstance(full, ChasquiError):
        return full
    reason = f"{item.source} to {item.destination}: {error}"
    if isinstance(error, PermissionError):
        return Permanent(
            "not_permitted", reason, "Give this user the right to read the source and write there."
        )
    return Retriable("io_error", reason, "Check the disk and the mount; the transfer goes on by itself.")


def _check_distinct(items: Sequence[TransferItem]) -> None:
    if len({item.id for item in items}) < len(items) or len({item.destination for item in items}) < len(
        items
    ):
        raise UserError(
            "transfer_items_clash", "two items share an id or a destination", "Name each item and place once."
        )
