"""A renderer that was stopped when a picture was about to get its name, and woke when a newer one had it."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from contracts.files import AssetRendered, RenderedAsset, RenderFailed
from tests.support.observing import Observation
from tests.support.pausing import files_in, hurried, sleeper
from tests.support.road import Road

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]


async def expose(observation: Observation, path: str, seed: int) -> None:
    """The instrument writes an image, over an earlier one if there is one, and it is scanned."""
    pixels = np.random.default_rng(seed).normal(100, 5, (32, 32)).astype("f4")
    fits.PrimaryHDU(pixels).writeto(observation.on_disk(path), overwrite=True)
    await observation.scan([path])


async def test_who_wakes_writes_nothing_over_a_newer_picture(road: Road, tmp_path: Path) -> None:
    road = hurried(road)
    place, observation = road.telescope, Observation(road)

    async def rendered(count: int) -> RenderedAsset:
        [asset] = (await road.wait_for(place, AssetRendered, count=count, within_s=60))[-1].assets
        return asset

    async with (
        road.running(place, "projector"),
        sleeper(
            road, place, "renderer", tmp_path / "first", stops_at="libs.storage.partials:Try.publish"
        ) as first,
    ):
        await observation.start()
        [path] = await observation.file({"sky.fits": b""})
        await expose(observation, path, 1)
        await first.sleeps()
        async with road.running(place, "renderer"):
            older = await rendered(1)
            await expose(observation, path, 2)
            newer = await rendered(2)
        assert older.etag != newer.etag
        await first.wakes_and_leaves_its_work()
    shown = (place.previews / newer.preview).read_bytes()
    assert hashlib.sha256(shown).hexdigest() == newer.etag
    assert files_in(place.previews) == sorted([newer.preview, newer.thumbnail]), "no try is left"
    assert await road.events_of(place, RenderFailed) == []
    assert len(await road.events_of(place, AssetRendered)) == 2
