"""One server process: started behind `launch.py`, watched, stopped in order or else killed."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

POLL_S = 0.02
KILL_PATIENCE_S = 10.0
LOG_LIMIT_BYTES = 16 * 1024 * 1024
TAIL_BYTES = 16 * 1024
SAME_IDENTITY = "same"
_LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class Command:
    """What to start.

    Attributes:
        argv: Program (absolute path) and arguments. Other users can read them: no secrets.
        log: File that standard output and standard error are appended to.
        env: The whole environment.
        fds: File descriptors that the process inherits under the same numbers.
        identity: Who it runs as, in the words of `launch.py`.
        stop_signal: Asks for an orderly end.
        death_signal: What the kernel sends when the starter dies.
    """

    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    fds: tuple[int, ...] = ()
    identity: str = SAME_IDENTITY
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL


class ServerProcess:
    """A running (or ended) server process, leader of its own session.

    Starting must happen in the main thread: the parent-death signal follows the thread that forked.
    """

    def __init__(self, command: Command) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("a server dies with the thread that starts it: start it in the main thread")
        self._command = command
        _rotate(command.log)
        with command.log.open("ab") as log:
            self._log_start = log.tell()
            self._popen = subprocess.Popen(
                self._arguments(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=command.env,
                cwd="/",
                pass_fds=command.fds,
                start_new_session=True,
            )

    def _arguments(self) -> list[str]:
        """Return the launcher's command line; it waits for nothing and becomes the server."""
        command = self._command
        launcher = [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid())]
        return [*launcher, str(int(command.death_signal)), command.identity, *command.argv]

    @property
    def pid(self) -> int:
        """The process id, which stays the same over the launcher's exec."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; a negative number is the signal that ended it."""
        return self._popen.poll()

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines that this run wrote to its log."""
        with self._command.log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, end - TAIL_BYTES))
            text = log.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    async def wait(self) -> int:
        """Wait for its end and return the exit code."""
        while True:
            if (code := self.exit_code) is not None:
                return code
            await asyncio.sleep(POLL_S)

    async def ended(self) -> None:
        """Wait for its end without looking again and again."""
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        handle = os.pidfd_open(self.pid)
        loop.add_reader(handle, over.set)
        try:
            await over.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)

    async def stop(self, grace_s: float) -> None:
        """End it: in order within `grace_s` seconds, otherwise by SIGKILL, with all its descendants."""
        family = self._descendants()
        if self.exit_code is None:
            self._popen.send_signal(self._command.stop_signal)
        try:
            async with asyncio.timeout(grace_s):
                await self.wait()
        except TimeoutError:
            family += self._descendants()
            self._popen.kill()
            await self.wait()
        finally:
            await _end(family)

    def kill_now(self) -> None:
        """End it and its descendants at once; for the way out of a cancelled stop."""
        family = self._descendants()
        self._popen.kill()
        for process in family:
            _kill(process)
        self._popen.wait(KILL_PATIENCE_S)

    def _descendants(self) -> list[psutil.Process]:
        """Return its children and theirs: PostgreSQL's are sessions of their own, no group reaches them."""
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []


async def _end(processes: list[psutil.Process]) -> None:
    """Wait until every process is gone; those that outlive their parent for long are killed."""
    if not processes:
        return
    _, left = await asyncio.to_thread(psutil.wait_procs, processes, 1.0)
    for process in left:
        _kill(process)
    await asyncio.to_thread(psutil.wait_procs, left, KILL_PATIENCE_S)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def _rotate(log: Path) -> None:
    """Keep one older log once the present one has grown large."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
