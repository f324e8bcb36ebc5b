"""One worker process as its parent sees it: started, asked, and killed when it does not answer."""

import asyncio
import os
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

import psutil

from libs.imaging.wire import LENGTH, LONGEST_FRAME, framed

AtWork = Callable[[], None]
"""Hears that a worker makes progress."""

_LOOK_EVERY_S: Final = 0.5
_TAIL_BYTES: Final = 300
_SECONDS_TO_END: Final = 5.0
_KEPT_VARIABLES: Final = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ")
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class ChildDiedError(Exception):
    """The worker ended before it answered.

    Args:
        reason: How it ended and the last words it wrote.
    """


def child_environment(environment: Mapping[str, str], import_path: list[str]) -> dict[str, str]:
    """Choose what a worker is told: where modules are, and no secret that it does not need."""
    kept = {name: environment[name] for name in _KEPT_VARIABLES if name in environment}
    return (
        kept
        | _ONE_THREAD
        | {"PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in import_path)}
    )


@dataclass(frozen=True)
class Child:
    """A running worker process.

    Attributes:
        process: The process, its input and output piped.
        errors: What it wrote to standard error.
    """

    process: Process
    errors: BinaryIO

    @classmethod
    async def start(cls, memory_bytes: int, seconds_to_start: float) -> Self:
        """Start a worker and wait until it is ready.

        Raises:
            ChildDiedError: It ended at once, or was not ready in time and was killed.
        """
        async with AsyncExitStack() as on_failure:
            errors = on_failure.enter_context(_scratch_file())
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "libs.imaging.worker", str(os.getpid()), str(memory_bytes)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
                env=child_environment(os.environ, sys.path),
                start_new_session=True,
            )
            child = cls(process, errors)
            on_failure.push_async_callback(child.kill)
            await child._await_ready(seconds_to_start)
            on_failure.pop_all()
        return child

    async def _await_ready(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._answer()
        except TimeoutError as error:
            raise ChildDiedError(f"the renderer process was not ready within {seconds:g} s") from error

    async def ask(self, body: bytes, seconds: float, at_work: AtWork) -> bytes:
        """Send a request and await its answer; a worker that does not answer is killed.

        It has so many seconds of a processor, and may be without one for as long: on a machine that is full a polite
        worker waits more than it works.

        Args:
            body: The request.
            seconds: The limit.
            at_work: Called now and then while it makes progress.

        Raises:
            ChildDiedError: It ended before it answered.
            TimeoutError: It did not answer in time.
        """
        answered = False
        try:
            async with asyncio.timeout(seconds) as limit:
                with self._watched(limit, seconds, at_work):
                    answer = await self._exchange(body)
            answered = True
        finally:
            if not answered:
                await self.kill()
        return answer

    @contextmanager
    def _watched(self, limit: asyncio.Timeout, seconds: float, at_work: AtWork) -> Iterator[None]:
        """Move the limit on while the worker works, and bring it on when it has worked for too long."""
        loop, begun = asyncio.get_running_loop(), self._worked_s()
        last, every = begun, min(_LOOK_EVERY_S, seconds / 4)
        looking: asyncio.TimerHandle

        def look() -> None:
            nonlocal last, looking
            if limit.expired():
                return
            worked = self._worked_s()
            if worked - begun >= seconds:
                limit.reschedule(loop.time())
            elif worked > last:
                limit.reschedule(loop.time() + seconds)
                at_work()
            last = worked
            looking = loop.call_later(every, look)

        looking = loop.call_later(every, look)
        try:
            yield
        finally:
            looking.cancel()

    def _worked_s(self) -> float:
        """Seconds of a processor that it has had; none if it has ended."""
        try:
            times = psutil.Process(self.process.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return times.user + times.system

    async def stop(self) -> None:
        """Let an idle worker end by itself; kill it if it does not."""
        try:
            async with asyncio.timeout(_SECONDS_TO_END):
                await self._see_out()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End the worker now and forget it."""
        if self.process.returncode is None:
            self.process.kill()
        await self._see_out()

    async def _see_out(self) -> None:
        """Close its input and await its end; reading to the end frees the pipe of an unread answer."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        await self.process.communicate()
        self.errors.close()

    async def _exchange(self, body: bytes) -> bytes:
        stdin = self.process.stdin
        if stdin is None:
            message = "the worker was started without a pipe"
            raise RuntimeError(message)
        try:
            stdin.write(framed(body))
            await stdin.drain()
        except ConnectionError as error:
            raise ChildDiedError(await self._last_words()) from error
        return await self._answer()

    async def _answer(self) -> bytes:
        stdout = self.process.stdout
        if stdout is None:
            message = "the worker was started without a pipe"
            raise RuntimeError(message)
        try:
            (length,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
            if length > LONGEST_FRAME:
                raise ChildDiedError(f"it announced an answer of {length:,} bytes")
            return await stdout.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise ChildDiedError(await self._last_words()) from error

    async def _last_words(self) -> str:
        code = await self.process.wait()
        ending = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        words = await asyncio.to_thread(_tail, self.errors)
        return f"the renderer process ended with {ending}{': ' if words else ''}{words}"


def _scratch_file() -> BinaryIO:
    return tempfile.TemporaryFile()


def _tail(file: BinaryIO) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
