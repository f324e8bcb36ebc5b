"""Work that goes on beside a service's handlers, and never dies unnoticed."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from libs.ending import end
from libs.errors import ChasquiError


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run coroutines while the block lasts.

    If one of them fails, the block is cancelled and the failure raised: the process ends, and whoever watches
    it starts another. A service that goes on without its sweep would look healthy and be deaf.

    Raises:
        ExceptionGroup: What the failed coroutine raised.
        ChasquiError: What the block raised on purpose, as it is: its reader looks for a code and a remedy.
    """
    told: ChasquiError | None = None
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        try:
            yield
        except ChasquiError as error:
            told = error
        await end(*tasks)
    if told is not None:
        raise told
