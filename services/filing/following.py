"""Following the end of a log from the position of ops-db on, so that a decision rests on all of it."""

from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from libs.errors import Retriable
from services.filing.logtail import Found, LogTail

MOST_EVENTS: Final = 2_000
"""Events read from the log for one decision."""


class Overlaid(Protocol):
    """What events say that ops-db has not applied yet."""

    @property
    def held(self) -> int:
        """How much is kept in memory."""
        ...

    def take(self, found: Found) -> None:
        """Add an event; sequences rise."""
        ...

    def prune(self, position: int) -> None:
        """Forget what ops-db has applied up to `position`."""
        ...


O = TypeVar("O", bound=Overlaid)  # noqa: E741 - an overlay


class Following(Generic[O]):
    """Keeps an overlay between requests.

    Args:
        tail: The end of the log.
        make: An empty overlay.
        most: How much is kept in memory while ops-db has not applied it.

    Attributes:
        overlay: What the log says after the position of ops-db that was moved to last.
        last: The sequence of the newest event that is known: what a decision is guarded with.
    """

    def __init__(self, tail: LogTail, make: Callable[[], O], most: int = MOST_EVENTS) -> None:
        self.overlay = make()
        self.last = 0
        self._tail = tail
        self._make = make
        self._most = most
        self._floor = -1
        self._read = -1

    async def move_to(self, position: int) -> O:
        """What the log says after `position`, up to its end.

        Raises:
            Retriable: ``bus_unavailable`` or ``opsdb_behind``.
        """
        if self._floor < 0 or position < self._floor:
            # The first request, or ops-db is being rebuilt and knows less than before.
            self.overlay = self._make()
            self._read = position
        self.overlay.prune(position)
        self._read = max(self._read, position)
        self._floor = position
        await self._catch_up()
        return self.overlay

    def stored(self, found: Found) -> None:
        """Take over an event that was stored right after `last`."""
        self.overlay.take(found)
        self.last = self._read = found.sequence

    async def _catch_up(self) -> None:
        last = await self._tail.last_sequence()
        for _ in range(MOST_EVENTS):
            if last <= self._read:
                self.last = last
                return
            found = await self._tail.after(self._read)
            if found is None:
                self._read = last
                continue
            self._read = found.sequence
            self.overlay.take(found)
            if self.overlay.held > self._most:
                break
        raise Retriable(
            "opsdb_behind",
            f"the ops-db has applied the log up to {self._floor}, far behind what was filed since",
            "Send the request again in a while; look whether the projector runs if it does not pass.",
        )
