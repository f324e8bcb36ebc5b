"""SIGINT and SIGTERM of a service, by what it is doing."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from libs.ending import INSIST_EVERY_S

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def on_signals(act: Callable[[], None]) -> None:
    """Call this at each signal; it takes the place of what was called before."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, act)


@contextmanager
def signals_end_it() -> Iterator[None]:
    """While the block lasts, a signal cancels the task that runs it, again and again until it is heard.

    FastStream looks for signals only once a service has started, which it does not as long as a server is away.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    again: asyncio.TimerHandle | None = None

    def insist() -> None:
        nonlocal again
        if task is not None:
            task.cancel()
        again = loop.call_later(INSIST_EVERY_S, insist)

    on_signals(insist)
    try:
        yield
    finally:
        if again is not None:
            again.cancel()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
