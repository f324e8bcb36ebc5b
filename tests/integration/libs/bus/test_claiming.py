"""Claims on a real server: kept by work, lost by silence and by a pause, and left to the successor then."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from contracts.base import Event
from contracts.observations import ObservationFinished, ObservationStarted
from libs.bus.bus import DeliveryOf
from libs.bus.pulse import beat
from libs.bus.subscription import Subscription
from libs.service.blocking import in_thread
from tests.integration.libs.bus.test_bus import finished, listening, pending, started
from tests.support.busprocess import bus_process
from tests.support.road import Road

pytestmark = pytest.mark.integration
WATCHED = Subscription(
    "tester", "listen", (ObservationStarted,), ack_wait_s=1.5, silence_s=1.0, max_attempts=3
)


async def settled(road: Road) -> bool:
    return await pending(road) == 0


async def test_a_handler_that_makes_progress_keeps_its_message(road: Road) -> None:
    """For several acknowledgement deadlines, in a thread, without a word to the event loop."""
    calls: list[int] = []

    def work(_stop: threading.Event) -> None:
        for _ in range(20):
            time.sleep(0.25)
            beat()

    async def handle(event: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        calls.append(delivery.attempt)
        await in_thread(work)
        return [finished(event)]

    async with listening(road, handle, WATCHED):
        await road.publisher(road.telescope).publish([started()])
        await road.wait_for(road.telescope, ObservationFinished)
        await road.eventually(lambda: settled(road), what="the acknowledgement")
    assert calls == [1]


async def test_a_silent_handler_is_stopped_with_its_thread_and_its_message_comes_again(road: Road) -> None:
    calls: list[int] = []
    stopped = threading.Event()

    def hang(stop: threading.Event) -> None:
        if stop.wait(60):
            stopped.set()

    async def handle(event: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        calls.append(delivery.attempt)
        if len(calls) == 1:
            await in_thread(hang)
        assert stopped.is_set()
        return [finished(event)]

    async with listening(road, handle, WATCHED):
        await road.publisher(road.telescope).publish([started()])
        await road.wait_for(road.telescope, ObservationFinished)
    assert calls == [1, 2]
    assert await road.letters(road.telescope) == []


async def test_a_handler_that_always_hangs_ends_among_the_dead_letters(road: Road) -> None:
    calls: list[int] = []

    async def handle(_: ObservationStarted, delivery: DeliveryOf) -> Sequence[Event]:
        calls.append(delivery.attempt)
        await asyncio.sleep(3600)
        return ()

    async with listening(road, handle, WATCHED):
        await road.publisher(road.telescope).publish([started()])
        await road.eventually(lambda: settled(road), what="the burial")
    (letter,) = await road.letters(road.telescope)
    assert '"code": "handler_stalled"' in letter["chasqui-dead-problem"]
    assert calls == [1, 2, 3]


PAUSED = """
async def handle(event, delivery: DeliveryOf):
    (FOLDER / "begun").touch()
    try:
        while not (FOLDER / "go on").exists():
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        (FOLDER / "stopped").touch()
        raise
    raise Permanent("overtaken", "the world is another one after the pause", "Nothing.")
"""


@pytest.mark.parametrize("ending", ["in_hand", "at_once"])
async def test_who_was_paused_settles_nothing(road: Road, tmp_path: Path, ending: str) -> None:
    """Its successor works on the message while the paused process finds a permanent failure, or is found out."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handle(event: ObservationStarted) -> Sequence[Event]:
        begun.set()
        while not go_on.is_set():
            beat()
            await asyncio.sleep(0.05)
        return [finished(event)]

    async with bus_process(road, WATCHED, PAUSED, tmp_path) as paused:
        await road.eventually((tmp_path / "ready").exists, what="the process")
        await road.publisher(road.telescope).publish([started()])
        await road.eventually((tmp_path / "begun").exists, what="the first delivery")
        os.kill(paused.pid, signal.SIGSTOP)
        async with listening(road, handle, WATCHED):
            await asyncio.wait_for(begun.wait(), 30)
            if ending == "at_once":
                (tmp_path / "go on").touch()
            os.kill(paused.pid, signal.SIGCONT)
            await road.eventually(
                (tmp_path / "stopped").exists if ending == "in_hand" else (lambda: _not_running(road)),
                what="the end of the paused handler",
            )
            assert await pending(road) == 1
            go_on.set()
            await road.wait_for(road.telescope, ObservationFinished)
            await road.eventually(lambda: settled(road), what="the acknowledgement")
    assert await road.letters(road.telescope) == []


async def _not_running(road: Road) -> bool:
    """Long enough for a letter, had one been written."""
    await asyncio.sleep(1.0)
    return await road.letters(road.telescope) == []
