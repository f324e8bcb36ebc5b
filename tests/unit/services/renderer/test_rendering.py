import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import psutil
import pytest
from astropy.io import fits

from contracts.files import AssetRendered, FilesScanned, RenderFailed, ScannedFile
from libs.errors import Retriable
from libs.imaging.outcomes import PictureFormat, RenderSettings
from libs.imaging.pool import PoolSettings, RenderPool
from services.renderer.pictures import kept, preview_path, thumbnail_path
from services.renderer.rendering import NICE, Outcome, events_of, kept_polite, render
from services.renderer.sorting import sort

SETTINGS = RenderSettings()


@pytest.fixture
async def pool() -> AsyncIterator[RenderPool]:
    async with RenderPool(PoolSettings()) as made:
        yield made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "source"
    (made / "camera").mkdir(parents=True)
    return made


def write_image(path: Path, seed: int = 1) -> None:
    pixels = np.random.default_rng(seed).normal(100, 5, (64, 48)).astype("f4")
    fits.PrimaryHDU(pixels).writeto(path)


def scanned(*paths: str) -> FilesScanned:
    files = tuple(
        ScannedFile(file_id=uuid4(), path=path, module="main", size=1, mtime_ns=1) for path in paths
    )
    return FilesScanned(executed_obs_unit_id=uuid4(), instrument="camera", location="source", files=files)


def codes(outcome: Outcome) -> dict[str, str]:
    return {failure.path: failure.problem.code for failure in outcome.failures}


async def test_images_have_pictures_and_everything_else_a_reason(
    root: Path, tmp_path: Path, pool: RenderPool
) -> None:
    write_image(root / "camera/a.fits")
    (root / "camera/log.txt").write_text("nothing to see")
    (root / "camera/empty").touch()
    os.mkfifo(root / "camera/pipe")
    (root / "camera/broken.fits").write_bytes((root / "camera/a.fits").read_bytes()[:4000])
    (tmp_path / "outside.fits").write_bytes((root / "camera/a.fits").read_bytes())
    (root / "camera/link.fits").symlink_to(tmp_path / "outside.fits")
    names = ["a.fits", "log.txt", "empty", "pipe", "broken.fits", "link.fits", "gone.fits"]
    event = scanned(*(f"camera/{name}" for name in names), "../outside.fits")
    outcome = await render(event, root, tmp_path / "previews", pool, SETTINGS)
    (asset,) = outcome.assets
    assert asset.file_id == event.files[0].file_id
    for path in (asset.thumbnail, asset.preview):
        assert (tmp_path / "previews" / path).read_bytes().startswith(b"\x89PNG")
    assert codes(outcome) == {
        "camera/log.txt": "not_fits",
        "camera/empty": "empty_file",
        "camera/pipe": "unreadable",
        "camera/broken.fits": "truncated",
        "camera/link.fits": "path_symlink",
        "camera/gone.fits": "file_vanished",
        "../outside.fits": "path_outside",
    }


async def test_a_repeat_says_the_same_even_when_the_file_has_gone_meanwhile(
    root: Path, tmp_path: Path, pool: RenderPool
) -> None:
    write_image(root / "camera/a.fits")
    event, previews = scanned("camera/a.fits"), tmp_path / "previews"
    first = await render(event, root, previews, pool, SETTINGS)
    again = await render(event, root, previews, pool, SETTINGS)
    (root / "camera/a.fits").unlink()
    later = await render(event, root, previews, pool, SETTINGS)
    assert first == again == later
    (previews / first.assets[0].thumbnail).unlink()
    assert codes(await render(event, root, previews, pool, SETTINGS)) == {"camera/a.fits": "file_vanished"}


async def test_workers_give_way_to_everything_else(root: Path, tmp_path: Path, pool: RenderPool) -> None:
    write_image(root / "camera/a.fits")
    async with kept_polite(pool):
        await render(scanned("camera/a.fits"), root, tmp_path / "previews", pool, SETTINGS)
        for _ in range(50):
            if [psutil.Process(pid).nice() for pid in pool.processes] == [NICE]:
                break
            await asyncio.sleep(0.1)
        assert [psutil.Process(pid).nice() for pid in pool.processes] == [NICE]
    assert psutil.Process().nice() != NICE


def test_an_unmounted_disk_does_not_make_files_vanish(tmp_path: Path) -> None:
    with pytest.raises(Retriable, match="location_missing"):
        sort(tmp_path / "unmounted", scanned("camera/a").files)


def test_pictures_lie_below_two_digits_of_their_id() -> None:
    file_id = UUID("ab345678-1234-5678-1234-567812345678")
    assert thumbnail_path(file_id, PictureFormat.PNG) == f"ab/{file_id}-thumbnail.png"
    assert preview_path(file_id, PictureFormat.WEBP) == f"ab/{file_id}-preview.webp"


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"no picture at all, but long enough to be one"])
def test_a_damaged_picture_is_none(tmp_path: Path, data: bytes) -> None:
    file_id = uuid4()
    for path in (thumbnail_path(file_id, PictureFormat.PNG), preview_path(file_id, PictureFormat.PNG)):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    assert kept(tmp_path, file_id) is None


async def test_many_files_are_told_in_parts_below_the_limit(
    root: Path, tmp_path: Path, pool: RenderPool
) -> None:
    event = scanned(*(f"camera/{number:03d}-{'n' * 200}" for number in range(500)))
    outcome = await render(event, root, tmp_path / "previews", pool, SETTINGS)
    events = events_of(event, outcome)
    assert all(isinstance(one, RenderFailed) for one in events)
    assert sum(len(one.files) for one in events if isinstance(one, RenderFailed)) == 500
    assert all(len(one.model_dump_json()) < 256 * 1024 for one in events)


async def test_rendered_files_are_told_before_the_others(
    root: Path, tmp_path: Path, pool: RenderPool
) -> None:
    write_image(root / "camera/a.fits")
    (root / "camera/b.txt").write_text("b")
    event = scanned("camera/b.txt", "camera/a.fits")
    events = events_of(event, await render(event, root, tmp_path / "previews", pool, SETTINGS))
    assert [one.fact for one in events] == [AssetRendered.fact, RenderFailed.fact]
    assert events_of(event, Outcome((), ())) == []
