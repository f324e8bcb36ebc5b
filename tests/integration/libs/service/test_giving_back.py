"""What a service holds is given back when it ends in order: the next one need not wait."""

import signal
from pathlib import Path

import pytest

from contracts.subjects import heartbeat_bucket
from libs.bus.buckets import read_bucket
from libs.bus.leases import holders
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
