"""Work that goes on beside a service's handlers, and never dies unnoticed."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from libs.ending import end


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
        await end(*tasks)
