"""Leaving things alone for a while, so that a sweep goes on to others."""

import time
from collections.abc import Callable
from uuid import UUID


class Patience:
    """What was looked at just now is left alone for a while; what stays again and again, for longer.

    Args:
        clock: Seconds that only go forward.
        first_s: The first pause; doubled each time.
        longest_s: The longest one.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, first_s: float = 20.0, longest_s: float = 3600.0
    ) -> None:
        self._clock = clock
        self._first_s = first_s
        self._longest_s = longest_s
        self._until: dict[UUID, tuple[float, float]] = {}

    def tired_of(self) -> list[UUID]:
        """What is to be left alone now."""
        now = self._clock()
        self._until = {key: one for key, one in self._until.items() if one[0] + self._longest_s > now}
        return [key for key, (until, _) in self._until.items() if until > now]

    def rest(self, key: UUID, *, settled: bool) -> None:
        """Leave something alone; if all of it is `settled`, only until the projection has followed."""
        _, last = self._until.get(key, (0.0, 0.0))
        pause = self._first_s if settled or not last else min(last * 2, self._longest_s)
        self._until[key] = (self._clock() + pause, pause)

    def wait(self, key: UUID) -> None:
        """Leave something alone that could not be looked at now: for as long as the last time, and not longer."""
        _, last = self._until.get(key, (0.0, 0.0))
        pause = last or self._first_s
        self._until[key] = (self._clock() + pause, pause)

    def forget(self, key: UUID) -> None:
        """It went well: the next pause is a first one again."""
        self._until.pop(key, None)
