"""Work that goes on beside a service's handlers, and never dies unnoticed."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from libs.ending import end
from libs.errors import ChasquiError, Retriable
from libs.groups import TaskGroup

WORK_ENDED = "work_ended"
"""The code of a failure that ought not to be: see `libs.groups` for how one came about."""


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
    over = False

    async def lasting(each: Coroutine[Any, Any, None]) -> None:
        nonlocal over
        try:
            await each
        except asyncio.CancelledError as error:
            # A task group passes over a task that ends so, also if a time-out within it is what it was cancelled by.
            if not over:
                over = True
                raise _cancelled_by_nobody() from error
            raise
        except BaseException:
            over = True
            raise

    try:
        async with TaskGroup() as group:
            tasks = [group.create_task(lasting(each)) for each in work]
            try:
                yield
            except ChasquiError as error:
                told = error
            finally:
                over = True
            await end(*tasks)
    finally:
        for each in work:
            each.close()  # one that was cancelled before its first step was never begun
    if told is not None:
        raise told


def _cancelled_by_nobody() -> Retriable:
    return Retriable(
        WORK_ENDED,
        "work in the background ended by a cancellation that nobody asked for",
        "Nothing: the service is started again by itself.",
    )
