"""The renderer at the telescope, with a real log and ops-db."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from contracts.files import AssetRendered, RenderFailed
from libs.imaging.outcomes import ColourMap, RenderSettings
from services.renderer import app
from services.renderer.rendering import kept_polite
from tests.support.observing import Observation
from tests.support.road import Road

pytestmark = pytest.mark.integration


async def test_images_get_pictures_and_the_rest_a_reason(road: Road) -> None:
    observation = Observation(road)
    async with road.running(road.telescope, "projector", "renderer"):
        await observation.start()
        paths = await observation.file({"sky.fits": b"", "log.txt": b"words"})
        pixels = np.random.default_rng(1).normal(100, 5, (64, 48)).astype("f4")
        fits.PrimaryHDU(pixels).writeto(observation.on_disk(paths[0]), overwrite=True)
        await observation.scan(paths)
        ((asset,),) = [event.assets for event in await road.wait_for(road.telescope, AssetRendered)]
        ((failed,),) = [event.files for event in await road.wait_for(road.telescope, RenderFailed)]
        assert asset.file_id == observation.files[paths[0]].file_id
        assert (failed.path, failed.problem.code) == (paths[1], "not_fits")
        for name in (asset.thumbnail, asset.preview):
            with Image.open(road.telescope.previews / name) as picture:
                assert picture.format == Path(name).suffix[1:].upper()
                assert picture.size[0] <= picture.size[1]

        async def told() -> bool:
            rows = await road.query(road.telescope, "SELECT preview_state::text AS state FROM raw_data_file")
            return sorted(row["state"] for row in rows) == ["no_preview", "rendered"]

        await road.eventually(told)
    assert await road.letters(road.telescope) == []


async def test_an_instrument_has_pictures_of_its_own_style_and_tables_are_drawn(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As polite as a worker is by itself: one that is politer waits for minutes where other tests run.
    monkeypatch.setattr(app, "kept_polite", partial(kept_polite, nice=5))
    camera = road.telescope.deployment.instruments["camera"]
    styled = camera.model_copy(update={"previews": RenderSettings(colour_map=ColourMap.VIRIDIS)})
    deployment = road.telescope.deployment.model_copy(update={"instruments": {"camera": styled}})
    observation = Observation(road)
    async with road.running(replace(road.telescope, deployment=deployment), "projector", "renderer"):
        await observation.start()
        paths = await observation.file({"sky.fits": b"", "track.fits": b""})
        fits.PrimaryHDU(np.eye(40, dtype="f4")).writeto(observation.on_disk(paths[0]), overwrite=True)
        flux = fits.Column("flux", "E", array=np.arange(9.0))
        fits.BinTableHDU.from_columns([flux]).writeto(observation.on_disk(paths[1]), overwrite=True)
        await observation.scan(paths)
        (rendered,) = await road.wait_for(road.telescope, AssetRendered, within_s=100.0)
        for asset, what in zip(rendered.assets, ("Stretch", "Chart"), strict=True):
            with Image.open(road.telescope.previews / asset.preview) as picture:
                assert (picture.mode, f"{what}: " in picture.getexif()[270]) == ("RGB", True)
