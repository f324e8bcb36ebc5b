"""What is to be called: as asyncio's handles, with less in them."""

from typing import Any, cast


class Handle(list[Any]):
    """A callback: when, a number of its own, itself, its arguments, its context.

    A list, because a list is made without running any Python, and sorts by time. One that can run now has no time and
    no number; one that nobody wants any more has no callback.
    """

    __slots__ = ()

    def cancel(self) -> None:
        """As `asyncio.Handle.cancel`."""
        self[2] = None

    def cancelled(self) -> bool:
        """As `asyncio.Handle.cancelled`."""
        return self[2] is None

    def when(self) -> float:
        """As `asyncio.TimerHandle.when`."""
        return cast("float", self[0])
