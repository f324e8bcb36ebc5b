"""A costly answer, shared by everybody who asks within a moment."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

SHORTEST_S = 0.5
SHARE = 10
"""An answer serves at least so many times as long as it took: making it never takes more than a tenth of the time."""


class Fresh(Generic[T]):
    """Makes an answer at most now and then, and once however many ask for it.

    Args:
        make: Makes it.
        shortest_s: An answer serves at least so long.
    """

    def __init__(self, make: Callable[[], Awaitable[T]], shortest_s: float = SHORTEST_S) -> None:
        self._make = make
        self._shortest_s = shortest_s
        self._lock = asyncio.Lock()
        self._made: tuple[T] | None = None
        self._good_until = 0.0

    async def get(self) -> T:
        """The answer; raises what making it raises."""
        async with self._lock:
            clock = asyncio.get_running_loop().time
            begun = clock()
            if self._made is None or begun >= self._good_until:
                self._made = (await self._make(),)
                ended = clock()
                self._good_until = ended + max(self._shortest_s, SHARE * (ended - begun))
            return self._made[0]
