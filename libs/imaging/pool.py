"""A few worker processes that render files, started when needed, so that no file can harm the caller.

Single processes with pipes and not an executor: an executor gives up all its work when one worker dies,
and cannot stop a worker that takes too long.
"""

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from libs.imaging.child import AtWork, Child, ChildDiedError
from libs.imaging.outcomes import OUTCOMES, NoPreview, NoPreviewCode, Rendered, RenderSettings
from libs.imaging.signature import read_signature, refusal_of
from libs.imaging.wire import RenderRequest


class PoolSettings(BaseModel):
    """How many resources rendering may take.

    Attributes:
        workers: Processes at most.
        seconds_per_file: A file that takes more seconds of a processor has no preview, nor has one over which a worker
            does nothing at all for as long.
        seconds_to_start: How long a worker may take to load its libraries.
        memory_bytes: Address space of a worker, of which its libraries take about a quarter GiB.
        idle_seconds: A worker without work for so long ends and gives back its memory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    workers: int = Field(default=1, ge=1, le=16)
    seconds_per_file: float = Field(default=30.0, gt=0)
    seconds_to_start: float = Field(default=60.0, gt=0)
    memory_bytes: int = Field(default=1 << 30, ge=1)
    idle_seconds: float = Field(default=60.0, gt=0)


class RenderPool:
    """Renders files in worker processes; use it as an asynchronous context manager.

    Args:
        settings: Limits.
    """

    def __init__(self, settings: PoolSettings) -> None:
        self._settings = settings
        self._closed = False
        self._accepted = 0
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        # Last in, first out: under little load one worker does all, and the others go idle and end.
        self._free: asyncio.LifoQueue[_Slot] = asyncio.LifoQueue()
        self._slots = tuple(_Slot(settings) for _ in range(settings.workers))
        for slot in self._slots:
            self._free.put_nowait(slot)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def processes(self) -> tuple[int, ...]:
        """The ids of the worker processes that run now."""
        return tuple(pid for slot in self._slots if (pid := slot.pid) is not None)

    async def render(
        self, path: Path, settings: RenderSettings, at_work: AtWork = lambda: None
    ) -> Rendered | NoPreview:
        """Make the pictures of one file; what is no FITS is refused without waking a worker.

        Args:
            path: The file.
            settings: How the pictures are made.
            at_work: Called now and then while a worker makes progress with it.

        Returns:
            The pictures, or why there are none. A file that crashes a worker harms no other file.

        Raises:
            RuntimeError: The pool is closed.
        """
        if self._closed:
            message = "the render pool is closed"
            raise RuntimeError(message)
        self._accepted += 1
        self._at_rest.clear()
        try:
            refusal = await asyncio.to_thread(_refused_at_sight, path)
            return refusal if refusal is not None else await self._rendered(path, settings, at_work)
        finally:
            self._accepted -= 1
            if not self._accepted:
                self._at_rest.set()

    async def _rendered(self, path: Path, settings: RenderSettings, at_work: AtWork) -> Rendered | NoPreview:
        slot = await self._free.get()
        try:
            return await slot.render(path, settings, at_work)
        finally:
            self._free.put_nowait(slot)

    async def close(self) -> None:
        """Refuse new files, finish those accepted, and end every worker."""
        if self._closed:
            return
        self._closed = True
        await self._at_rest.wait()  # a file that is only being looked at has asked for no slot yet
        for _ in self._slots:
            slot = await self._free.get()
            await slot.end()


class _Slot:
    """The place of one worker, which may be empty."""

    def __init__(self, settings: PoolSettings) -> None:
        self._settings = settings
        self._child: Child | None = None
        self._idling: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._child.process.pid if self._child is not None else None

    async def render(self, path: Path, settings: RenderSettings, at_work: AtWork) -> Rendered | NoPreview:
        await self._stop_idling()
        request = RenderRequest(path=os.fsencode(path), settings=settings)
        try:
            outcome = await self._ask(request, at_work)
        except TimeoutError:
            return NoPreview(
                code=NoPreviewCode.RENDERER_TIMEOUT,
                reason=f"the renderer worked on it, or stood still, for {self._settings.seconds_per_file:g} s",
            )
        except ChildDiedError as death:
            return NoPreview(code=NoPreviewCode.RENDERER_CRASHED, reason=str(death))
        self._idling = asyncio.create_task(self._end_when_idle(), name="render-worker-idle")
        return outcome

    async def end(self) -> None:
        """End the worker, if there is one."""
        await self._stop_idling()
        child, self._child = self._child, None
        if child is not None:
            await child.stop()

    async def _ask(self, request: RenderRequest, at_work: AtWork) -> Rendered | NoPreview:
        """Only a worker that has answered keeps its place; `Child.ask` has killed any other."""
        child = await self._living()
        outcome = None
        try:
            body = request.model_dump_json().encode()
            answer = await child.ask(body, self._settings.seconds_per_file, at_work)
            outcome = OUTCOMES.validate_json(answer)
        except ValidationError as error:
            await child.kill()
            raise ChildDiedError(f"the renderer's answer has {error.error_count()} errors") from error
        finally:
            if outcome is None:
                self._child = None
        return outcome

    async def _living(self) -> Child:
        """Give the worker; one that died while it was idle is replaced."""
        child, self._child = self._child, None
        if child is not None and child.process.returncode is not None:
            await child.kill()
            child = None
        if child is None:
            child = await Child.start(self._settings.memory_bytes, self._settings.seconds_to_start)
        self._child = child
        return child

    async def _end_when_idle(self) -> None:
        await asyncio.sleep(self._settings.idle_seconds)
        child, self._child = self._child, None
        if child is not None:
            await child.stop()

    async def _stop_idling(self) -> None:
        """Cancel the clock; a worker that is ending already is left to end."""
        if self._idling is None:
            return
        if self._child is not None:
            self._idling.cancel()
        else:
            await asyncio.wait([self._idling])
        self._idling = None


def _refused_at_sight(path: Path) -> NoPreview | None:
    try:
        return refusal_of(read_signature(path))
    except OSError as error:
        return NoPreview(code=NoPreviewCode.UNREADABLE, reason=error.strerror or str(error))
