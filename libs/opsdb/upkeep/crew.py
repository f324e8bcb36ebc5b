"""Folding a long log with several processes.

Decoding and folding are the work of Python and take most of the time; writing is PostgreSQL's. So each process
decodes and folds a part of the log by itself, and they write in turn, in the order of the parts: what is written is
what one process would write.
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

from libs import errors
from libs.bus.connection import BusAddress
from libs.errors import ChasquiError, Permanent
from libs.groups import TaskGroup
from libs.opsdb.rebuild import LogStream, OnEvents

HANDS = max(2, min(4, (os.cpu_count() or 1) + 1))
"""One more than there are processors: each waits for PostgreSQL, or for its turn, now and then."""


@dataclass(frozen=True, slots=True)
class Part:
    """Messages of one stream, from one sequence to another, both included."""

    stream: LogStream
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a crew works.

    Attributes:
        bus: The server that has the streams.
        dsn: With the role that owns the tables.
        schema: Theirs.
        name: What the servers call its connections.
    """

    bus: BusAddress
    dsn: str
    schema: str
    name: str


class Crew:
    """Processes that are there to fold."""

    def __init__(self, hands: Sequence["_Hand"]) -> None:
        self._hands = hands

    @classmethod
    @asynccontextmanager
    async def open(cls, place: Workplace, hands: int = HANDS) -> AsyncIterator["Crew"]:
        """Start them: they are not waited for. Its tables need not be there before the first part.

        Args:
            place: Where.
            hands: How many processes.
        """
        async with AsyncExitStack() as stack:
            yield cls([await stack.enter_async_context(_hand(place)) for _ in range(hands)])

    async def fold(self, parts: Sequence[Part], on_events: OnEvents) -> None:
        """Fold parts of the log, which begin where the tables are and follow each other. All conclusions wait.

        Args:
            parts: Those of one stream in its order.
            on_events: Told how many messages were folded since it was last told.

        Raises:
            ChasquiError: What one of the processes met; ``hand_ended`` (Permanent) if one ended for no known reason.
        """
        work = _Work(parts, on_events)
        try:
            async with TaskGroup() as tasks:
                for hand in self._hands[: len(parts)]:
                    tasks.create_task(work.lend(hand))
        except ExceptionGroup as group:
            raise _first(group) from group


def _first(group: ExceptionGroup[Exception]) -> Exception:
    known, _ = group.split(ChasquiError)
    found: BaseException = known or group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found if isinstance(found, Exception) else group


class _Work:
    """Parts that are taken one after the other, and written in this order."""

    def __init__(self, parts: Sequence[Part], on_events: OnEvents) -> None:
        self._parts: Iterator[tuple[int, Part]] = iter(enumerate(parts))
        self._on_events = on_events
        self._written = 0
        self._turned = asyncio.Condition()

    async def lend(self, hand: "_Hand") -> None:
        """Have it take parts until none are left."""
        for number, part in self._parts:
            await hand.say(
                stream=part.stream.name, domain=part.stream.domain, first=part.first, last=part.last
            )
            await hand.expect("ready")
            async with self._turned:
                await self._turned.wait_for(lambda: self._written == number)  # noqa: B023 - awaited here
            await hand.say(turn=number)
            while (told := await hand.hear()).get("done") is None:
                self._on_events(told["folded"])
            async with self._turned:
                self._written += 1
                self._turned.notify_all()


class _Hand:
    """A process, and how to talk to it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def say(self, **what: Any) -> None:  # noqa: ANN401 - JSON of any kind
        """Raises what it met, if it is gone."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        with suppress(ConnectionError):
            if not self._process.stdin.is_closing():
                self._process.stdin.write(json.dumps(what).encode() + b"\n")
                await self._process.stdin.drain()
                return
        await self.hear()

    async def hear(self) -> dict[str, Any]:
        """Raises what it met, or that it is gone."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        line = await self._process.stdout.readline()
        if not line:
            raise Permanent(
                "hand_ended",
                f"a process that folds the log ended with status {await self._process.wait()}",
                "Look at what it printed, and whether the machine was out of memory; then try again.",
            )
        told: dict[str, Any] = json.loads(line)
        if "problem" in told:
            kind: type[ChasquiError] = getattr(errors, told["kind"])
            raise kind(**told["problem"])
        return told

    async def expect(self, word: str) -> None:
        """Hear exactly this."""
        told = await self.hear()
        assert word in told, told  # noqa: S101 - both ends are ours


@asynccontextmanager
async def _hand(place: Workplace) -> AsyncIterator[_Hand]:
    """A process that is killed at the end of the block, if it has not ended by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "libs.opsdb.upkeep.hand"),
        stdin=PIPE,
        stdout=PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        start_new_session=True,  # Ctrl-C in the terminal is for this process, which ends the others
    )
    try:
        hand = _Hand(process)
        # By its input, not by its arguments, which every user of the machine can see.
        await hand.say(bus=asdict(place.bus), dsn=place.dsn, schema=place.schema, name=place.name)
        yield hand
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
