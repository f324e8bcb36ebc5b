import asyncio
import threading
import time

import pytest

from libs.service.blocking import in_thread


async def test_the_result_and_the_error_come_back() -> None:
    assert await in_thread(lambda _: 42) == 42
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda _: 1 // 0)


async def test_a_cancelled_caller_stops_the_work_and_waits_for_its_end() -> None:
    started, ended = threading.Event(), threading.Event()

    def work(stop: threading.Event) -> None:
        started.set()
        stop.wait(10)
        time.sleep(0.05)
        ended.set()

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
