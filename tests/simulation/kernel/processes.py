"""Processes of the operating system, as far as a history needs them: killed, paused, started again."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.simulation.kernel.handles import Handle


class Stopped(asyncio.CancelledError):
    """The process does not exist any more: whatever it still tries has no effect."""


class Process:
    """A running instance of a service, or the world around all of them.

    Args:
        name: Unique at its time: ``packager.1@chile``.
        site: Where it runs; empty for the world.
        pause: How long a piece of blocking work waits for its thread.

    Attributes:
        alive: Once false, nothing it does has any effect, and its tasks are unwound.
        paused: Stopped by a signal; what is ready waits.
        ready: Callbacks that could run now, in order.
        tasks: Its tasks that have not ended.
        slept_since: When its last pause began; None once it has noticed that pause.
        woken: What it does first thing after a pause, and what was ready before.
    """

    def __init__(self, name: str, site: str = "", pause: Callable[[], float] = lambda: 0.0) -> None:
        self.name = name
        self.site = site
        self.pause = pause
        self.alive = True
        self.paused = False
        self.ready: deque[Handle] = deque()
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.slept_since: float | None = None
        self.woken: Callable[[], None] = lambda: None

    def forget(self, task: asyncio.Task[Any]) -> None:
        """A task has ended."""
        self.tasks.pop(task, None)

    def kill(self) -> None:
        """End it between two instructions. Its code is unwound, but touches nothing any more."""
        self.alive = False
        for task in list(self.tasks):
            task.cancel()

    def require_life(self) -> None:
        """Raise `Stopped` in what is left of a killed process."""
        if not self.alive:
            raise Stopped(self.name)

    def __repr__(self) -> str:
        state = "alive" if self.alive else "killed"
        return f"<{self.name} {state}{' paused' if self.paused else ''}>"
