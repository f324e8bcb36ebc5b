"""A janitor that was stopped when it was about to delete, and woke when the name was another file's."""

from pathlib import Path

import pytest

from contracts.copies import CopyDeleted, DeletionRefused, DeletionScheduled
from libs.bus.leases import Leases
from tests.support.archived import sealed
from tests.support.pausing import contents_said, hurried, sleeper
from tests.support.road import Road

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]

BEHIND_THE_LAST_CHECK = "libs.storage.deletion:remove"


async def test_who_wakes_deletes_no_file_that_came_since(road: Road, tmp_path: Path) -> None:
    road = hurried(road)
    centre = road.centre
    package = await sealed(road, {"a.fits": b"a" * 1000})
    sweeps = Leases(road.client(centre), site=centre.site, instance="test", lease_s=3600.0).of(
        "janitor.sweep"
    )
    async with (
        sweeps.held(),  # by nobody else: each look is one at an event
        road.running(centre, "projector"),
        sleeper(road, centre, "janitor", tmp_path / "first", stops_at=BEHIND_THE_LAST_CHECK) as first,
    ):
        await package.archive()
        beside = package.at_centre.with_name("beside")
        beside.touch()  # so that the folder is still the same one
        await first.sleeps()
        assert package.at_centre.exists()
        async with road.running(centre, "janitor"):
            await road.wait_for(centre, CopyDeleted, within_s=60)
        assert not package.at_centre.exists()
        package.at_centre.write_bytes(b"sent again")
        await first.wakes_and_leaves_its_work()
    assert package.at_centre.read_bytes() == b"sent again"
    assert sorted(package.at_centre.parent.iterdir()) == sorted([beside, package.at_centre])
    assert len(await contents_said(road, centre, DeletionScheduled)) == 1
    assert len(await road.events_of(centre, CopyDeleted)) == 1
    assert await road.events_of(centre, DeletionRefused) == []
    assert await road.letters(centre) == []
