"""From the streams into the tables, for as long as the process lives.

The lease says whose turn it is, and the lock on the writing session is the fence: whoever has the lease takes the lock
by ending the session that still holds it (of a projector that is paused, or whose machine was lost). What that one had
under way is rolled back with its positions, and nothing it sends when it wakes arrives anywhere.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum

from nats.aio.client import Client

from contracts.problems import Problem
from libs.bus.leases import Lease
from libs.bus.reading import read_batches
from libs.bus.stored import StoredMessage
from libs.errors import Retriable
from libs.groups import TaskGroup
from libs.opsdb.decoding import Decoded, decode
from libs.opsdb.halving import apply_all
from libs.opsdb.projection.applying import Applied, Batch, Happening, Position
from libs.opsdb.rebuild import LogStream
from libs.opsdb.writer import OpsDbWriter
from libs.telemetry.logs import logger

_log = logger("projector")

OnUnreadable = Callable[[StoredMessage, Problem], Awaitable[None]]

MAX_BATCH = 2000
"""Events per transaction at most; so many are only ever waiting while the projector catches up."""

_SLICE = 64
"""Messages decoded at once, between which the loop serves the connection to PostgreSQL."""

_DECODED_AHEAD = 32
"""Runs of messages waiting for the transaction before theirs; a run is what one wake-up of the reader brought."""

_LOOK_S = 0.05
_GRACE_S = 0.5
"""An orderly predecessor's session ends by itself within this time."""
_RETRY_S = 1.0


class Activity(StrEnum):
    """What a projector is doing."""

    WAITING = "waiting"
    """For PostgreSQL."""
    STANDBY = "standby"
    """Another projector has the lease; this one takes over when that one is gone, or shows no sign of life."""
    PROJECTING = "projecting"
    """It writes."""


@dataclass(slots=True)
class Progress:
    """How far a projector is; counts since the process began.

    Attributes:
        positions: By stream, the last sequence applied.
        events: Applied, repeats included.
        repeats: How many of them were repeats.
        rows: Written.
        passed_over: Messages that could not be read or stored.
    """

    activity: Activity = Activity.WAITING
    positions: dict[str, int] = field(default_factory=dict)
    events: int = 0
    repeats: int = 0
    rows: int = 0
    passed_over: int = 0


@dataclass(frozen=True, slots=True)
class _Run:
    """Consecutive messages of one stream, decoded."""

    stream: str
    last: int
    messages: Sequence[StoredMessage]
    decoded: Decoded


class Projector:
    """Reads every stream from where the tables are, folds, applies.

    Args:
        nc: A connected client that reconnects for ever.
        dsn: Of the ops-db, with the role that owns the tables.
        streams: All streams that the tables are folded from.
        on_unreadable: Told of each message that is no event or cannot be stored, before the position moves
            past it; after a crash it may be told again.
        lease: Of all projectors of the tables only the one that holds it writes.
        schema: Where the tables are.
        max_batch: Events per transaction at most.
    """

    def __init__(
        self,
        nc: Client,
        dsn: str,
        streams: Sequence[LogStream],
        on_unreadable: OnUnreadable,
        *,
        lease: Lease,
        schema: str = "public",
        max_batch: int = MAX_BATCH,
    ) -> None:
        self._nc = nc
        self._dsn = dsn
        self._streams = tuple(streams)
        self._on_unreadable = on_unreadable
        self._lease = lease
        self._schema = schema
        self._max_batch = max_batch
        self.progress = Progress()

    async def run(self) -> None:
        """Project until cancelled; over restarts of NATS and PostgreSQL, and after a pause as whoever waits."""
        while True:
            self.progress.activity = Activity.STANDBY
            try:
                async with self._lease.held():
                    await self._turn()
            except* Retriable as errors:
                _log.warning("waiting", reasons=[str(error) for error in errors.exceptions])
            await asyncio.sleep(_RETRY_S)

    async def _turn(self) -> None:
        self.progress.activity = Activity.WAITING
        async with OpsDbWriter.open(self._dsn, schema=self._schema) as writer:
            await self._claim(writer)
            await self._project(writer)

    async def _claim(self, writer: OpsDbWriter) -> None:
        tries = 0
        while not await writer.try_claim():
            tries += 1
            if tries * _LOOK_S >= _GRACE_S:
                await self._take_over(writer)
            await asyncio.sleep(_LOOK_S)

    async def _take_over(self, writer: OpsDbWriter) -> None:
        predecessor = await writer.holder()
        # It was seen while the lease was held: that it is not a successor's session.
        self._lease.check()
        if predecessor is not None:
            _log.warning("ending_predecessor", pid=predecessor.pid, since=predecessor.since.isoformat())
            await writer.end(predecessor)

    async def _project(self, writer: OpsDbWriter) -> None:
        positions = await writer.positions()
        self.progress.positions = dict(positions)
        self.progress.activity = Activity.PROJECTING
        runs: asyncio.Queue[_Run] = asyncio.Queue(maxsize=_DECODED_AHEAD)
        async with TaskGroup() as tasks:
            for stream in self._streams:
                tasks.create_task(self._read(stream, positions.get(stream.name, 0) + 1, runs))
            tasks.create_task(self._write(writer, runs))
            tasks.create_task(_end_with(writer))

    async def _read(self, stream: LogStream, start: int, runs: asyncio.Queue[_Run]) -> None:
        batches = read_batches(
            self._nc, stream.name, start=start, max_batch=self._max_batch, domain=stream.domain
        )
        async with aclosing(batches):
            async for messages in batches:
                decoded = await decode_in_slices(messages)
                await runs.put(_Run(stream.name, messages[-1].sequence, messages, decoded))

    async def _write(self, writer: OpsDbWriter, runs: asyncio.Queue[_Run]) -> None:
        async for waiting in _waiting_runs(runs, self._max_batch):
            for run in waiting:
                for unreadable in run.decoded.unreadable:
                    await self._pass_over(unreadable.message, unreadable.problem)
            await self._apply(writer, waiting)

    async def _apply(self, writer: OpsDbWriter, runs: Sequence[_Run]) -> None:
        positions = {run.stream: run.last for run in runs}
        happenings = [happening for run in runs for happening in run.decoded.happenings]

        async def on_unfoldable(happening: Happening, problem: Problem) -> None:
            await self._pass_over(_message_of(runs, (happening.stream, happening.sequence)), problem)

        applied = await apply_all(writer, Batch(happenings, positions), on_unfoldable)
        self._count(applied)
        self.progress.positions.update(positions)

    def _count(self, applied: Applied) -> None:
        self.progress.events += applied.events
        self.progress.repeats += applied.repeats
        self.progress.rows += applied.rows

    async def _pass_over(self, message: StoredMessage, problem: Problem) -> None:
        self.progress.passed_over += 1
        _log.warning(
            "passed over",
            stream=message.stream,
            sequence=message.sequence,
            subject=message.subject,
            code=problem.code,
            reason=problem.reason,
        )
        await self._on_unreadable(message, problem)


async def _end_with(writer: OpsDbWriter) -> None:
    """Begin anew when the connection is lost, though nothing is to be written: tables may be behind by then."""
    await writer.lost()
    raise Retriable(
        "opsdb_unavailable", "the connection to the ops-db was lost", "Nothing: it is opened again by itself."
    )


def _message_of(runs: Sequence[_Run], position: Position) -> StoredMessage:
    return next(m for run in runs for m in run.messages if (m.stream, m.sequence) == position)


async def _waiting_runs(runs: asyncio.Queue[_Run], most: int) -> AsyncIterator[list[_Run]]:
    """Whatever is waiting, as one batch of about `most` events; waits for the first."""
    while True:
        waiting = [await runs.get()]
        events = len(waiting[0].messages)
        while events < most and not runs.empty():
            waiting.append(runs.get_nowait())
            events += len(waiting[-1].messages)
        yield waiting


async def decode_in_slices(messages: Sequence[StoredMessage]) -> Decoded:
    """As `libs.opsdb.decoding.decode`, letting others run in between."""
    whole = Decoded()
    for first in range(0, len(messages), _SLICE):
        part = decode(messages[first : first + _SLICE])
        whole.happenings += part.happenings
        whole.unreadable += part.unreadable
        await asyncio.sleep(0)
    return whole
