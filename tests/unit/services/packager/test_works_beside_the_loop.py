"""Blocking work stops with its handler."""

import asyncio
import threading

import pytest

from services.packager.working import in_thread


async def test_returns_what_the_work_returns() -> None:
    assert await in_thread(lambda stop: (stop.is_set(), threading.current_thread().name)[0]) is False


async def test_passes_the_works_error_on() -> None:
    def fail(_: threading.Event) -> None:
        raise KeyError("why")

    with pytest.raises(KeyError):
        await in_thread(fail)


async def test_a_cancelled_caller_stops_the_work_and_waits_for_its_end() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(stop: threading.Event) -> None:
        begun.set()
        assert stop.wait(10)
        ended.set()
        raise RuntimeError("stopped")

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
