"""An archiver that was stopped when all parts of a package were sent, and woke when it was archived."""

from pathlib import Path

import pytest

from contracts.packages import PackageArchived
from tests.integration.services.archiver.test_archiving import keys, object_sha256, store_of
from tests.support.pausing import hurried, sleeper
from tests.support.road import Road
from tests.support.sealed import large, verified_at_centre

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]

JUST_BEFORE_THE_OBJECT = "aiobotocore.client:AioBaseClient._make_api_call@CompleteMultipartUpload"
"""No look of ours lies between this and the server."""


async def test_who_wakes_completes_nothing_and_leaves_nothing(road: Road, tmp_path: Path) -> None:
    road = hurried(road)
    centre = road.centre
    package = verified_at_centre(road, large(9_000_000))
    async with (
        store_of(centre) as store,
        road.running(centre, "projector"),
        sleeper(road, centre, "archiver", tmp_path / "first", stops_at=JUST_BEFORE_THE_OBJECT) as first,
    ):
        await road.publisher(centre, "verifier").publish([package])
        await first.sleeps()
        assert [key async for key in store.unfinished()]
        assert await keys(store) == []
        async with road.running(centre, "archiver"):
            [archived] = await road.wait_for(centre, PackageArchived, within_s=60)
        before = await store.head(archived.key)
        assert [key async for key in store.unfinished()] == []
        await first.wakes_and_leaves_its_work()
        assert await store.head(archived.key) == before
        assert await object_sha256(store, archived.key) == package.package.sha256
        assert await keys(store) == sorted([archived.key, archived.sidecar_key])
        assert [key async for key in store.unfinished()] == []
    assert len(await road.events_of(centre, PackageArchived)) == 1
    assert await road.letters(centre) == []
