"""The mover fetches the bytes of assets: a real log, a real ops-db, real files."""

import asyncio
from dataclasses import replace

import pytest

from contracts.skynet.assets import (
    AssetTransferCompleted,
    AssetTransferFailed,
    AssetTransferProgressed,
    AssetTransferRequested,
    AssetTransferStarted,
)
from libs.service.service import Place
from tests.support.pausing import hurried
from tests.support.remote import filed, kept, requested, told
from tests.support.road import Road
from tests.support.victims import victim

pytestmark = pytest.mark.integration

MIB = 1 << 20


def limited(place: Place, rate: int) -> Place:
    """The place, its one route limited to `rate` bytes/s."""
    routes = {
        name: route.model_copy(update={"rate_limit": rate}) for name, route in place.deployment.routes.items()
    }
    return replace(place, deployment=place.deployment.model_copy(update={"routes": routes}))


async def test_a_remote_asset_is_fetched_whole_and_marked(road: Road) -> None:
    data = bytes(range(256)) * 400
    async with road.running(road.telescope, "projector", "mover"):
        asset = await requested(road, *await filed(road, "a.fits", data))
        [done] = await road.wait_for(road.telescope, AssetTransferCompleted)
        [path] = kept(road)

        async def known() -> bool:
            [row] = await road.query(
                road.telescope, "SELECT is_remote, render_dirty_at, transferrer FROM observation_asset"
            )
            return (row["is_remote"], row["transferrer"]) == (False, None) and row["render_dirty_at"]

        await road.eventually(known)
    assert path.read_bytes() == data
    assert done.asset.uid == asset.asset.uid
    assert [event.turn for event in await told(road)] == [1, 2, 3, 4]
    assert await road.letters(road.telescope) == []


async def test_a_path_that_leads_out_of_the_location_is_refused(road: Road) -> None:
    async with road.running(road.telescope, "projector", "mover"):
        observation, path = await filed(road, "a.fits", b"x")
        await requested(road, observation, path, remote=f"../{road.telescope.site}-buffer/a.fits")
        [failed] = await road.wait_for(road.telescope, AssetTransferFailed)
    assert (failed.asset.transfer_error or "").startswith("path_outside: ")
    assert kept(road) == []
    assert len(await road.events_of(road.telescope, AssetTransferRequested)) == 1, "never asked for again"


async def test_killed_in_the_middle_an_asset_is_fetched_once(road: Road) -> None:
    road = hurried(road)
    data = bytes(range(256)) * 4 * 4096  # 4 MiB
    slow = limited(road.telescope, MIB // 2)
    async with road.running(road.telescope, "projector"):
        async with victim(road, slow, "mover") as process:
            await requested(road, *await filed(road, "a.fits", data))
            await road.wait_for(road.telescope, AssetTransferProgressed)
            process.kill()
            await asyncio.to_thread(process.join)
        assert await road.events_of(road.telescope, AssetTransferCompleted) == []
        assert [path for path in kept(road) if path.name.endswith(".partial")]
        async with road.running(road.telescope, "mover"):
            [done] = await road.wait_for(road.telescope, AssetTransferCompleted)
    [path] = kept(road)
    assert path.read_bytes() == data
    [lost] = await road.events_of(road.telescope, AssetTransferFailed)
    assert (lost.asset.transfer_error or "").startswith("transferrer_lost: ")
    assert len(await road.events_of(road.telescope, AssetTransferStarted)) == 2
    assert (done.care.transfer_attempts, done.care.transferrer) == (2, None)
    turns = [event.turn for event in await told(road)]
    assert turns == list(range(1, len(turns) + 1)), "nothing was said twice"
