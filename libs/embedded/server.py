"""What every embedded server does: hold its folder, start, become ready, stop."""

import asyncio
import re
from abc import ABC, abstractmethod
from dataclasses import replace
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

from libs.embedded.folder import FolderLock, make_private
from libs.embedded.ports import Choice, PortBook
from libs.embedded.process import POLL_S, Command, ServerProcess
from libs.ending import end
from libs.errors import Permanent

START_ATTEMPTS = 5
START_TIMEOUT_S = 60.0
STOP_GRACE_S = 15.0
_PORT_TAKEN = re.compile(r"address already in use", re.IGNORECASE)


class Outcome(Enum):
    """How one attempt to start ended."""

    READY = "ready"
    """It answers requests."""
    EXITED = "exited"
    """It ended by itself; its log says why."""
    LATE = "late"
    """It runs, but did not become ready in time."""


class EmbeddedServer(ABC):
    """A server on 127.0.0.1 whose data, settings, secrets and logs live in one folder.

    Use it as an async context manager, or call `start` and `stop`. It may be started again after a stop.

    Args:
        folder: Its folder; created, private to its owner.
        start_timeout_s: Seconds to wait until it answers.
    """

    kind: str
    """What messages and the log file call it."""

    def __init__(self, folder: Path, *, start_timeout_s: float = START_TIMEOUT_S) -> None:
        self.folder = folder.absolute()
        self._start_timeout_s = start_timeout_s
        self._processes: list[ServerProcess] = []
        self._lock: FolderLock | None = None
        self._ports = PortBook(self.folder / "ports.json")

    @property
    def log(self) -> Path:
        """The file that the server's own messages go to."""
        return self.folder / f"{self.kind}.log"

    @property
    def running(self) -> bool:
        """Whether it was started and all its processes live."""
        return bool(self._processes) and all(p.exit_code is None for p in self._processes)

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that were started, without their own children."""
        return tuple(process.pid for process in self._processes)

    async def start(self) -> Self:
        """Start the server and return once it answers.

        Raises:
            UserError: The folder is in use, or cannot hold this server's data.
            Permanent: It ended or stayed silent; the error holds the last lines of its log.
            RuntimeError: Called twice, or outside the main thread.
        """
        return await self._start(Choice.REMEMBERED)

    async def restart(self) -> Self:
        """Start it again on the ports that it had, whatever is left of it; what it was told to keep is there.

        Raises:
            Retriable: ``port_taken``.
            UserError, Permanent, RuntimeError: As `start`.
        """
        await self.stop()
        return await self._start(Choice.SAME)

    async def ended(self) -> None:
        """Return as soon as one of its processes has ended, however it ended."""
        waiting = [asyncio.ensure_future(process.ended()) for process in self._processes]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(*waiting)

    def last_words(self) -> str:
        """The last lines that its processes wrote to the log."""
        return "\n".join(process.log_tail() for process in self._processes)

    async def _start(self, choice: Choice) -> Self:
        if self._lock is not None:
            raise RuntimeError(f"{self.kind} in {self.folder} was started already")
        make_private(self.folder)
        self._lock = await FolderLock.take(self.folder)
        try:
            await self._prepare()
            await self._start_on(choice)
        except BaseException:
            await self.stop()
            raise
        return self

    async def stop(self) -> None:
        """End the server in order, by force where that takes too long; harmless when it is stopped."""
        try:
            await self._stop_processes()
        except BaseException:
            for process in self._processes:
                process.kill_now()
            raise
        finally:
            self._processes.clear()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @abstractmethod
    async def _prepare(self) -> None:
        """Make the folder fit for a start: secrets, data folders."""

    @abstractmethod
    async def _launch(self, choice: Choice) -> None:
        """Choose ports, write the settings and start the processes."""

    @abstractmethod
    async def _answers(self) -> bool:
        """Ask whether it is ready; False when it is not yet."""

    def _start_process(self, command: Command) -> ServerProcess:
        """Start a process that holds the folder's lock for as long as it lives."""
        if self._lock is None:
            raise RuntimeError("a server process needs the lock of its folder")
        process = ServerProcess(replace(command, fds=(*command.fds, self._lock.fd)))
        self._processes.append(process)
        return process

    async def _start_on(self, choice: Choice) -> None:
        for attempt in range(1, START_ATTEMPTS + 1):
            await self._launch(choice)
            outcome = await self._outcome()
            if outcome is Outcome.READY:
                return
            tail = self.last_words()
            await self._stop_processes()
            self._processes.clear()
            if outcome is Outcome.LATE or not _PORT_TAKEN.search(tail) or attempt == START_ATTEMPTS:
                raise self._failure(outcome, tail)
            choice = Choice.SAME if choice is Choice.SAME else Choice.FRESH

    async def _outcome(self) -> Outcome:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._start_timeout_s
        while self.running:
            if await self._answers() and self.running:
                return Outcome.READY
            if loop.time() > deadline:
                return Outcome.LATE
            await asyncio.sleep(POLL_S)
        return Outcome.EXITED

    async def _stop_processes(self) -> None:
        await asyncio.gather(*(process.stop(STOP_GRACE_S) for process in self._processes))

    def _failure(self, outcome: Outcome, tail: str) -> Permanent:
        said = {
            Outcome.EXITED: "ended while it started",
            Outcome.LATE: f"did not answer within {self._start_timeout_s:g} s",
        }[outcome]
        reason = f"{self.kind} in {self.folder} {said}; its last words:\n{tail}\n"
        return Permanent("server_did_not_start", reason, f"Mend what it complains about; see {self.log}.")
