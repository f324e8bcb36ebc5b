"""Ending tasks for good.

`asyncio.wait_for` of Python 3.11, with which NATS' client waits, loses a cancellation that comes at the very moment
of an answer; the task would go on, and whoever awaits it would wait for ever. So it is said again until it is heard.
"""

import asyncio
from typing import Any

INSIST_EVERY_S = 0.5


async def end(*tasks: asyncio.Task[Any], every_s: float = INSIST_EVERY_S) -> None:
    """Cancel tasks, again every so often, and wait until they have ended; what they raise is not raised again."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=every_s)
        for task in done:
            if not task.cancelled():
                task.exception()  # looked at, so that asyncio does not report it as lost
