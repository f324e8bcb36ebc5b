"""Work that goes on beside a service's handlers, and never dies unnoticed."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

INSIST_EVERY_S = 0.5


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run coroutines while the block lasts.

    If one of them fails, the block is cancelled and the failure raised: the process ends, and whoever watches
    it starts another. A service that goes on without its sweep would look healthy and be deaf.

    Raises:
        ExceptionGroup: What the failed coroutine raised.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        yield
        await _end(tasks)


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until it is heard: `asyncio.wait_for` of Python 3.11 can lose a cancellation (see `libs.bus.repeating`)."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=INSIST_EVERY_S)
