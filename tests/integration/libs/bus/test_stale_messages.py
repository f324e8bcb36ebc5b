"""A message that lay in the socket during a pause is its successor's."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from contracts.base import Event
from contracts.observations import ObservationFinished, ObservationStarted
from contracts.subjects import events_stream
from libs.bus.subscription import Subscription
from tests.integration.libs.bus.test_bus import finished, listening, pending, started
from tests.support.busprocess import bus_process
from tests.support.road import Road

pytestmark = pytest.mark.integration

QUICK = Subscription("tester", "listen", (ObservationStarted,), ack_wait_s=2.0)

NOTES = """
from contracts.observations import ObservationFinished

async def handle(event, delivery: DeliveryOf):
    (FOLDER / "calls").open("a").write(f"{event.executed_obs_unit_id}\\n")
    return []
"""


async def test_a_message_that_came_during_a_pause_is_left_to_its_successor(
    road: Road, tmp_path: Path
) -> None:
    handled: list[Event] = []

    async def handle(event: ObservationStarted) -> Sequence[Event]:
        handled.append(event)
        return [finished(event)]

    async def waiting() -> bool:
        js = road.client(road.telescope).jetstream()
        info = await js.consumer_info(events_stream(road.telescope.site), QUICK.durable(road.telescope.site))
        return bool(info.num_waiting == 1 and info.num_ack_pending == 0)

    calls = tmp_path / "calls"
    async with bus_process(road, QUICK, NOTES, tmp_path) as paused:
        await road.eventually((tmp_path / "ready").exists, what="the process")
        await road.publisher(road.telescope).publish([first := started()])
        await road.eventually(calls.exists, what="the first message")
        await road.eventually(waiting, what="the process's next request")
        os.kill(paused.pid, signal.SIGSTOP)
        stopped = time.monotonic()
        await road.publisher(road.telescope).publish([second := started()])
        async with listening(road, handle, QUICK):
            await road.wait_for(road.telescope, ObservationFinished)
        assert time.monotonic() - stopped > QUICK.ack_wait_s / 2, "it was handed to the paused process first"
        os.kill(paused.pid, signal.SIGCONT)
        await road.publisher(road.telescope).publish([third := started()])
        await road.eventually(lambda: str(third.executed_obs_unit_id) in calls.read_text(), what="the third")

        async def settled() -> bool:
            return await pending(road) == 0

        await road.eventually(settled, what="the acknowledgements")
    assert handled == [second]
    told = calls.read_text().split()
    assert str(second.executed_obs_unit_id) not in told
    assert set(told) == {str(first.executed_obs_unit_id), str(third.executed_obs_unit_id)}
    assert await road.letters(road.telescope) == []
