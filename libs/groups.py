"""Groups of tasks that leave their own task as they found it.

A group whose task fails cancels the task that waits for it, and has to take that back. `asyncio.TaskGroup` before
Python 3.13 forgets to, if its block had ended by then, as it has in nearly every group here. The task goes on with
a cancellation counted that nobody asked for; and a time-out around the group (of a lease, for one) that comes while
the failure is on its way out takes this for somebody else's, lets its own `CancelledError` through, and so ends a
task that was to go on.
"""

import asyncio
import sys
from types import TracebackType

if sys.version_info >= (3, 13):
    from asyncio import TaskGroup  # noqa: TID251 - nothing is to be mended
else:

    class TaskGroup(asyncio.TaskGroup):  # noqa: TID251 - the one that is mended here
        """As `asyncio.TaskGroup` of Python 3.13, as far as the count of its task's cancellations goes."""

        _parent_cancel_requested: bool
        _parent_task: asyncio.Task[object]

        async def __aexit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            """Wait for all tasks; raise what they raised."""
            taken_back = self._parent_cancel_requested  # what was asked for by now, asyncio takes back itself
            try:
                await super().__aexit__(kind, error, trace)
            finally:
                if self._parent_cancel_requested and not taken_back:
                    self._parent_task.uncancel()


__all__ = ["TaskGroup"]
