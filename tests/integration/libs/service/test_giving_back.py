"""What a service holds is given back when it ends in order: the next one need not wait."""

import asyncio
import signal
from pathlib import Path

import pytest

from contracts.subjects import heartbeat_bucket
from libs.bus.buckets import read_bucket
from libs.bus.leases import holders
from tests.support.pausing import sleeper, wake
from tests.support.processes import process_of
from tests.support.road import Road

pytestmark = pytest.mark.integration


async def test_a_service_that_is_stopped_gives_its_lease_back_and_says_goodbye(
    road: Road, tmp_path: Path
) -> None:
    place, client = road.centre, road.client(road.centre)

    async def held() -> bool:
        return "verifier.clearing" in await holders(client, place.site)

    async with process_of(road, place, "verifier", tmp_path) as process:
        await road.eventually(held, what="a lease")
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert await holders(client, place.site) == {}
        assert await read_bucket(client, heartbeat_bucket(place.site)) == {}


async def test_a_signal_in_the_middle_of_the_start_ends_it(road: Road, tmp_path: Path) -> None:
    """FastStream alone would leave the subscribers that are not there yet consuming for ever."""
    subscribing = "faststream.nats.subscriber.usecases.stream_pull_subscriber:PullStreamSubscriber"
    stops_at = f"{subscribing}._create_subscription"
    async with sleeper(
        road, road.centre, "verifier", tmp_path / "verifier", stops_at=stops_at
    ) as half_started:
        await half_started.sleeps()
        half_started.process.send_signal(signal.SIGTERM)
        wake(half_started.process)
        async with asyncio.timeout(90):
            assert await half_started.process.wait() == 0
