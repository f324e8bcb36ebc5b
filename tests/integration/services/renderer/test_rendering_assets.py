"""The renderer makes the pictures of a marked asset: a real log, a real ops-db, a real worker."""

from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from contracts.skynet.assets import AssetEvent
from contracts.skynet.fields import changed
from contracts.skynet.runs import RunCompleted, RunStarted
from contracts.states import LocationType
from libs.skynet import rendering, transfers
from libs.skynet.rendering import Debounce
from services.renderer import app
from services.renderer.assets.pictures import find
from services.renderer.rendering import kept_polite
from tests.support.histories.skynet import asset
from tests.support.remote import filed
from tests.support.road import Road

pytestmark = pytest.mark.integration

QUICK = Debounce(quiet=timedelta(seconds=1))


def frame() -> bytes:
    """A FITS image."""
    file, pixels = BytesIO(), np.random.default_rng(1).normal(100, 5, (48, 64)).astype("f4")
    fits.PrimaryHDU(pixels).writeto(file)
    return file.getvalue()


async def test_an_asset_that_was_marked_several_times_gets_its_pictures_once(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "kept_polite", partial(kept_polite, nice=5))
    monkeypatch.setattr(app, "DEBOUNCE", QUICK)
    place = road.telescope
    assert place.settings.locations_of(LocationType.SOURCE)
    observation, path = await filed(road, "a.fits", frame())
    here = changed(asset(1, remote=False), {"file_id": observation.files[path].file_id})
    said: list[AssetEvent] = [transfers.register(here, QUICK, datetime.now(UTC))]
    for _ in range(3):
        said.append(rendering.mark(said[-1], datetime.now(UTC), QUICK))
    await road.publisher(place, "filing").publish(said)
    async with road.running(place, "projector", "renderer"):
        [done] = await road.wait_for(place, RunCompleted, within_s=100.0)

        async def clear() -> bool:
            [row] = await road.query(
                place, "SELECT render_dirty_at, thumbnail_file_id, preview_file_id FROM observation_asset"
            )
            return tuple(row) == (None, done.run.thumbnail_file_id, done.run.preview_file_id)

        await road.eventually(clear)
    assert len(await road.events_of(place, RunStarted)) == 1
    for file, longest in ((done.run.thumbnail_file_id, 128), (done.run.preview_file_id, 512)):
        assert file is not None
        kept = find(place.previews, here.uid, file)
        assert kept is not None
        with Image.open(kept) as picture:
            assert picture.size == (longest, longest * 3 // 4)
    assert await road.letters(place) == []
