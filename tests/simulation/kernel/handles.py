"""What is to be called: as asyncio's handles, with less in them."""

from collections.abc import Callable
from contextvars import Context
from typing import Any


class Ready:
    """A callback that can run now.

    Attributes:
        is_cancelled: Whether nobody wants it any more.
    """

    __slots__ = ("args", "callback", "context", "is_cancelled")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.is_cancelled = False

    def cancel(self) -> None:
        """As `asyncio.Handle.cancel`."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """As `asyncio.Handle.cancelled`."""
        return self.is_cancelled


class Timer(Ready):
    """A callback that runs at a time."""

    __slots__ = ("at",)

    def __init__(
        self, at: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context
    ) -> None:
        super().__init__(callback, args, context)
        self.at = at

    def when(self) -> float:
        """As `asyncio.TimerHandle.when`."""
        return self.at
