"""Work ends when it ends, whatever its last report is waiting for at that moment."""

import asyncio
from typing import cast

from nats.aio.client import Client

from libs.service.telling import telling


class Answers:
    """A JetStream client that waits for each answer as NATS' own does; all but the first come at once."""

    def __init__(self) -> None:
        self.first = asyncio.get_running_loop().create_future()
        self.asked = asyncio.Event()
        self.puts = 0

    def jetstream(self, **_options: float) -> "Answers":
        return self

    async def key_value(self, _bucket: str) -> "Answers":
        return self

    async def put(self, _key: str, _value: bytes) -> None:
        self.puts += 1
        self.asked.set()
        if self.puts == 1:
            await asyncio.wait_for(self.first, 2)


async def test_work_ends_in_the_moment_in_which_its_report_is_answered() -> None:
    client = Answers()

    async def work() -> None:
        async with telling(cast("Client", client), "chile", "w", {"work": "archive"}, every_s=0.001):
            await client.asked.wait()
            client.first.set_result(None)

    working = asyncio.create_task(work())
    await asyncio.wait([working], timeout=2)
    assert working.done(), "the end of the work was lost"
    await working
    assert client.puts == 2


async def test_work_that_is_cancelled_in_that_moment_ends_too() -> None:
    client = Answers()

    async def work() -> None:
        async with telling(cast("Client", client), "chile", "w", {"work": "archive"}, every_s=0.001):
            await asyncio.sleep(3600)

    working = asyncio.create_task(work())
    await client.asked.wait()
    client.first.set_result(None)
    working.cancel()
    await asyncio.wait([working], timeout=2)
    assert working.cancelled()


async def test_work_that_ends_before_its_first_report_is_never_told() -> None:
    client = Answers()
    async with telling(cast("Client", client), "chile", "w", {"work": "archive"}):
        await asyncio.sleep(0)
    assert client.puts == 0
