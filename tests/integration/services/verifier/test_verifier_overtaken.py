"""A verifier that was stopped when it was about to set a damaged arrival aside, and woke when a good one was there."""

from pathlib import Path

import pytest

from contracts.bundles import BundleReceived
from contracts.packages import PackageCorrupted, PackageVerified
from tests.integration.services.verifier.test_verifying import arrived, say
from tests.support.pausing import files_in, hurried, sleeper
from tests.support.road import Road
from tests.support.sealed import arrive, buffer_of, flip, seal_at_telescope

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]

BEHIND_THE_LAST_CHECK = "services.verifier.quarantine:resolve_inside"


async def test_who_wakes_sets_no_good_arrival_aside(road: Road, tmp_path: Path) -> None:
    road = hurried(road)
    centre = road.centre
    package = seal_at_telescope(road)
    whole = (buffer_of(road, road.telescope.site) / package.path).read_bytes()
    damaged = arrive(road, package)
    flip(arrived(road, package.path), whole.index(b"AAAA"))
    async with (
        road.running(centre, "projector"),
        sleeper(road, centre, "verifier", tmp_path / "first", stops_at=BEHIND_THE_LAST_CHECK) as first,
    ):
        await say(road, damaged)
        await first.sleeps()
        async with road.running(centre, "verifier"):
            await road.wait_for(centre, BundleReceived, within_s=60)
            assert not arrived(road, package.path).exists()
            await say(road, arrive(road, package.model_copy(update={"attempt": 2})))
            await road.wait_for(centre, BundleReceived, count=2, within_s=60)
        await first.wakes_and_leaves_its_work()
    assert arrived(road, package.path).read_bytes() == whole
    quarantined, good = files_in(buffer_of(road, centre.site))
    assert (quarantined.partition("/")[0], good) == (".quarantine", package.path)
    assert len(await road.events_of(centre, PackageCorrupted)) == 1
    assert len(await road.events_of(centre, PackageVerified)) == 1
    assert len(await road.events_of(centre, BundleReceived)) == 2
    assert await road.letters(centre) == []
