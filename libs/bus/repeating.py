"""Doing something now and then while something else runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def repeating(action: Callable[[], Awaitable[None]], every_s: float) -> AsyncIterator[None]:
    """Call `action` at once and then every so often, until the block ends; waits for a call under way.

    The end is told by an event and not by cancelling: `asyncio.wait_for` of Python 3.11, which NATS' client
    waits with, loses a cancellation that comes at the very moment of an answer, and the task would go on.

    Args:
        action: Handles its own errors, and takes a bounded time.
        every_s: Seconds between two calls.
    """
    ended = asyncio.Event()
    task = asyncio.create_task(repeat(action, every_s, ended))
    try:
        yield
    finally:
        ended.set()
        await task


async def repeat(action: Callable[[], Awaitable[None]], every_s: float, ended: asyncio.Event) -> None:
    """Call `action` at once and then every so often, until `ended` is set."""
    while not ended.is_set():
        await action()
        await over(ended, every_s)


async def over(ended: asyncio.Event, within_s: float) -> bool:
    """Wait for the end, for so many seconds at most, and say whether it came."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await ended.wait()
    return ended.is_set()
