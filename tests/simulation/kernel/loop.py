"""An asyncio event loop in which nothing happens by itself.

It runs one callback at a time, of a process chosen by chance; when nothing is ready, its clock jumps to the next
timer. Within one process callbacks keep their order, as asyncio promises; between processes there is no order,
as between real ones.
"""

import asyncio
import math
import random
from asyncio import futures
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from typing import Any, TypeVar, TypeVarTuple, Unpack

from tests.simulation.kernel.handles import Handle
from tests.simulation.kernel.processes import Process, Stopped

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

CURRENT: ContextVar[Process] = ContextVar("process")
"""Whose code runs: inherited by every task and callback that it makes; not set outside of all processes."""

_WAKE = futures._set_result_unless_cancelled  # type: ignore[attr-defined]  # what asyncio.sleep has called


class Livelock(Exception):
    """A history that does not come to an end."""


class SimulatedTask(asyncio.Task[T]):
    """A task with a hash of its own: sets of tasks have the same order in every run."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], *, loop: "SimulatedLoop", name: str | None, context: Context
    ) -> None:
        self._number = loop.numbered()
        super().__init__(coroutine, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self._number


class SimulatedLoop(asyncio.BaseEventLoop):
    """The loop of one history.

    Args:
        chance: Chooses between processes that could run.
        most_steps: After so many callbacks the history counts as endless.

    Attributes:
        now: Seconds since the history began, on the clock that nobody can set.
        steps: Callbacks run so far.
        halted: Ends the run as soon as it is set.
        outside: Everything that is no process of ours: servers, networks, disks, instruments.
        failures: Errors that nobody waited for.
    """

    def __init__(self, chance: random.Random, most_steps: int = 500_000) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self.halted = False
        self.outside = Process("world")
        self.outside_context = copy_context()
        self.outside_context.run(CURRENT.set, self.outside)
        self.failures: list[tuple[Process, BaseException]] = []
        self._chance = chance.random
        self._most_steps = most_steps
        self._timers: list[Handle] = []
        self._runnable: list[Process] = []
        self._numbers = 0

    def __del__(self, *_: object) -> None:
        """Nothing is to be closed, and nothing to be complained about."""

    def numbered(self) -> int:
        """The next of the numbers that tell things apart."""
        self._numbers += 1
        return self._numbers

    # What asyncio asks of a loop

    def time(self) -> float:
        """The monotonic clock."""
        return self.now

    def is_running(self) -> bool:
        """It is, whenever anybody can ask."""
        return True

    def is_closed(self) -> bool:
        """It never is."""
        return False

    get_debug = bool  # never; and asked for at every future, so by no Python code

    def set_debug(self, enabled: bool) -> None:
        """It stays as it is."""

    def call_soon(  # type: ignore[override]  # handles of our own, which do less
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> Handle:
        """Run it after what the same process has ready."""
        handle = Handle((0.0, 0, callback, args, copy_context() if context is None else context))
        self._make_ready(handle)
        return handle

    def _make_ready(self, handle: Handle) -> None:
        process = handle[4].get(CURRENT, self.outside)
        waiting = process.ready
        if not waiting and not process.paused:
            self._runnable.append(process)
        waiting.append(handle)

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> Handle:
        """Run it after some time."""
        return self.call_at(self.now + delay if delay > 0.0 else self.now, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> Handle:
        """Run it at a time."""
        if context is None:
            context = copy_context()
        self._numbers += 1
        timer = Handle((when, self._numbers, callback, args, context))
        heappush(self._timers, timer)
        return timer

    def rest(self, seconds: float) -> asyncio.Future[None]:
        """As `asyncio.sleep`, with less around it."""
        future: asyncio.Future[None] = asyncio.Future(loop=self)
        self._numbers += 1
        heappush(self._timers, Handle((self.now + seconds, self._numbers, _WAKE, (future, None), None)))
        return future

    def create_task(  # type: ignore[override]  # the event loop of a history makes one kind of task only
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[T]:
        """A task of the process whose code runs."""
        # A context that is given is copied, too: what one task sets in it is no other's business.
        own = copy_context() if context is None else context.copy()
        task = SimulatedTask(coro, loop=self, name=name, context=own)
        process = own.get(CURRENT, self.outside)
        process.tasks[task] = None
        task.add_done_callback(process.forget if process is not self.outside else self._ended_outside)
        return task

    def _ended_outside(self, task: asyncio.Task[Any]) -> None:
        """Nobody waits for what the world does: its failures are told at once."""
        self.outside.forget(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(self.outside, error)

    def run_in_executor(
        self, executor: object, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Blocking work: it takes some time before and after, and happens at once in between."""
        future: asyncio.Future[T] = self.create_future()
        process = CURRENT.get(self.outside)

        def work() -> None:
            if not process.alive:
                return
            try:
                result = func(*args)
            except Stopped:
                return
            except Exception as error:  # noqa: BLE001  what a thread raises is for whoever waits for it
                self.call_later(process.pause(), _end_badly, future, error)
            else:
                self.call_later(process.pause(), _end_well, future, result)

        self.call_later(process.pause(), work)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Nobody waits for this error: it belongs to the history's outcome."""
        if isinstance(error := context.get("exception"), BaseException):
            self._fail(CURRENT.get(self.outside), error)

    def _fail(self, process: Process, error: BaseException) -> None:
        if process.alive and not isinstance(error, Stopped):
            self.failures.append((process, error))
            self.halted = True

    # Running

    def run_until(self, deadline: float) -> None:
        """Run callbacks and let time pass until the deadline, or until it is halted."""
        asyncio._set_running_loop(self)
        try:
            while not self.halted and (self._runnable or self._advance(deadline)):
                self._run_ready()
        finally:
            asyncio._set_running_loop(None)

    def drain(self, done: Callable[[], bool]) -> None:
        """Run callbacks and let time pass until something is so."""
        asyncio._set_running_loop(self)
        try:
            while not done() and (self._runnable or self._advance(math.inf)):
                self.halted = False  # by what had to be found: it does not keep us from clearing up
                self._run_ready()
        finally:
            asyncio._set_running_loop(None)

    def pause(self, process: Process) -> None:
        """Let a process do nothing until it is resumed."""
        process.paused = True
        if process.slept_since is None:
            process.slept_since = self.now
        if process in self._runnable:
            self._runnable.remove(process)

    def resume(self, process: Process) -> None:
        """Let a paused process go on with what it has ready."""
        process.paused = False
        process.ready.append(Handle((0.0, 0, process.woken, (), self.outside_context)))
        self._runnable.append(process)

    def _run_ready(self) -> None:
        """Run what is ready, of one process after the other as chance has it, until time has to pass."""
        runnable, chance = self._runnable, self._chance
        while runnable and not self.halted:
            chosen = int(chance() * len(runnable)) if len(runnable) > 1 else 0
            process = runnable[chosen]
            _, _, callback, args, context = process.ready.popleft()
            if not process.ready:
                runnable[chosen] = runnable[-1]
                runnable.pop()
            self.steps += 1
            if self.steps > self._most_steps:
                raise Livelock(f"{self.steps} steps and no end at {self.now:.0f} s")
            if callback is not None:
                try:
                    context.run(callback, *args)
                except Exception as error:  # noqa: BLE001  of a callback that nobody waits for
                    self._fail(process, error)

    def _advance(self, deadline: float) -> bool:
        """Jump to the next timer; whether there is one before the deadline."""
        timers = self._timers
        while timers and timers[0][2] is None:
            heappop(timers)
        if not timers or timers[0][0] > deadline:
            self.now = max(self.now, deadline)
            return False
        now = timers[0][0]
        if now > self.now:
            self.now = now
        else:
            now = self.now
        while timers and timers[0][0] <= now:
            timer = heappop(timers)
            if timer[2] is _WAKE:
                _WAKE(*timer[3])  # whoever sleeps is ready now: no need to have that said by another callback
            elif timer[2] is not None:
                self._make_ready(timer)
        return True


def _end_well(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


def _end_badly(future: "asyncio.Future[T]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
