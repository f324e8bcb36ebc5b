"""The simulated camera: valid FITS, sky coordinates that hold, the same bytes from the same seed."""

import asyncio
import hashlib
import math
import threading
import time
import warnings
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from libs.simulator.camera import Camera
from libs.simulator.run import BytesPerSecond, FramesPerSecond, Pace, frame_name, run
from libs.simulator.sky import SkySimulator
from libs.simulator.writing import Placement, place

BEGAN = datetime(2026, 3, 1, 23, 59, 30, 125_000, tzinfo=UTC)
CAMERA = Camera(shape=(120, 160))


def simulator(seed: int = 7, camera: Camera = CAMERA) -> SkySimulator:
    return SkySimulator(seed, camera, BEGAN)


@pytest.mark.parametrize(
    "camera", [CAMERA, Camera(shape=(700, 33), dec=-89.9), Camera(shape=(64, 64), ra=0.0)]
)
def test_frames_are_valid_fits(tmp_path: Path, camera: Camera) -> None:
    frame = simulator(camera=camera).write_frame(tmp_path / "new" / "a.fits", 3, BEGAN)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(frame.path, checksum=True) as hdus:
            hdus.verify("exception")
            header, data = hdus[0].header, hdus[0].data
            wcs = WCS(header)
    assert data.shape == camera.shape
    assert data.dtype == np.uint16
    assert header.comments["CHECKSUM"] == header.comments["DATASUM"] == "as simulated"
    assert header["DATE-OBS"] == "2026-03-01T23:59:30.125"
    assert (header["INSTRUME"], header["TELESCOP"], header["OBJECT"]) == (
        camera.instrument,
        camera.telescope,
        camera.target,
    )
    assert (header["RA"], header["DEC"], header["EXPTIME"]) == (camera.ra, camera.dec, camera.exposure)
    assert wcs.has_celestial


def test_the_frame_describes_the_file(tmp_path: Path) -> None:
    frame = simulator().write_frame(tmp_path / "a.fits", 3, BEGAN)
    data = frame.path.read_bytes()
    assert (frame.size, frame.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (frame.index, frame.taken) == (3, BEGAN)
    assert list(tmp_path.iterdir()) == [frame.path]


def test_sky_coordinates_hold() -> None:
    header = fits.Header.fromstring(simulator().frame_bytes(0, BEGAN)[:2880].decode("ascii"))
    wcs = WCS(header)
    rows, columns = CAMERA.shape
    centre = wcs.all_pix2world((columns - 1) / 2, (rows - 1) / 2, 0)
    assert [float(value) for value in centre] == pytest.approx([CAMERA.ra, CAMERA.dec], abs=1e-9)
    assert wcs.proj_plane_pixel_scales()[0].to_value("arcsec") == pytest.approx(CAMERA.pixel_scale)
    pixels = np.random.default_rng(0).uniform(0, 120, size=(50, 2))
    there_and_back = wcs.all_world2pix(wcs.all_pix2world(pixels, 0), 0)
    np.testing.assert_allclose(there_and_back, pixels, atol=1e-6)
    ra, dec = (float(value) for value in wcs.all_pix2world((columns - 1) / 2, (rows - 1) / 2 + 1, 0))
    east, north = (ra - CAMERA.ra) * math.cos(math.radians(CAMERA.dec)), dec - CAMERA.dec
    assert math.degrees(math.atan2(east, north)) == pytest.approx(CAMERA.rotation, abs=0.01)
    # East is to the left of north on the sky: the transformation mirrors.
    assert np.linalg.det(wcs.pixel_scale_matrix) < 0


@pytest.mark.parametrize("minutes", [0, 5, 25, 600])
def test_the_target_is_where_the_header_says(minutes: int) -> None:
    when = BEGAN + timedelta(minutes=minutes)
    made = simulator(camera=Camera(shape=(200, 200), star_density=0))
    with fits.HDUList.fromstring(made.frame_bytes(1, when)) as hdus:
        header, data = hdus[0].header, hdus[0].data
        column, row = WCS(header).all_world2pix(header["TARG_RA"], header["TARG_DEC"], 0)
    brightest = np.unravel_index(int(np.argmax(data)), data.shape)
    assert math.hypot(brightest[0] - float(row), brightest[1] - float(column)) < 1.0
    assert data.max() > 10_000


def test_the_target_moves_and_the_stars_do_not() -> None:
    made = simulator()
    assert made.target_position(BEGAN) == pytest.approx((CAMERA.ra, CAMERA.dec))
    ra, dec = made.target_position(BEGAN + timedelta(minutes=6))
    moved = math.hypot((ra - CAMERA.ra) * math.cos(math.radians(CAMERA.dec)), dec - CAMERA.dec) * 3600
    assert moved == pytest.approx(CAMERA.drift / 10, rel=1e-6)


def test_the_same_seed_gives_the_same_bytes() -> None:
    first = simulator().frame_bytes(5, BEGAN)
    assert simulator().frame_bytes(5, BEGAN) == first
    assert simulator().frame_bytes(5, BEGAN.astimezone(timezone(timedelta(hours=-4)))) == first
    others = [
        simulator().frame_bytes(6, BEGAN),
        simulator(8).frame_bytes(5, BEGAN),
        simulator().frame_bytes(5, BEGAN + timedelta(seconds=1)),
    ]
    assert len({first, *others}) == 4


def test_noise_and_stars_look_plausible() -> None:
    with fits.HDUList.fromstring(simulator(camera=Camera()).frame_bytes(0, BEGAN)) as hdus:
        data = hdus[0].data.astype(float)
    low, median, high = np.percentile(data, [16, 50, 99.9])
    assert median == pytest.approx(300, abs=2)
    assert median - low == pytest.approx(8, abs=1.5)
    assert high > 500


def test_a_20_mib_frame_takes_less_than_a_second() -> None:
    made = simulator(camera=Camera(shape=(3200, 3200)))
    began = time.process_time()
    assert len(made.frame_bytes(0, BEGAN)) > 20_000_000
    assert time.process_time() - began < 1.0


def test_impossible_cameras() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        simulator(camera=Camera(shape=(31, 100)))
    with pytest.raises(ValueError, match="needs a zone"):
        SkySimulator(1, CAMERA, BEGAN.replace(tzinfo=None))
    with pytest.raises(ValueError, match="needs a zone"):
        simulator().frame_bytes(0, BEGAN.replace(tzinfo=None))


def test_a_slow_file_grows_under_its_final_name(tmp_path: Path) -> None:
    path = tmp_path / "slow.fits"
    writer = threading.Thread(target=place, args=(path, bytes(100_000), Placement.SLOW_IN_PLACE))
    sizes: set[int] = set()
    writer.start()
    while writer.is_alive():
        if path.exists():
            sizes.add(path.stat().st_size)
        time.sleep(0.005)
    writer.join()
    assert len(sizes) > 5
    assert path.read_bytes() == bytes(100_000)


def test_a_renamed_file_is_never_seen_half(tmp_path: Path) -> None:
    path, stop = tmp_path / "a.fits", threading.Event()
    sizes: set[int] = set()

    def watch() -> None:
        while not stop.is_set():
            if path.exists():
                sizes.add(path.stat().st_size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(20):
        place(path, bytes(3_000_000), Placement.RENAMED)
    stop.set()
    watcher.join()
    assert sizes == {3_000_000}


def test_names_are_in_utc() -> None:
    when = BEGAN.astimezone(timezone(timedelta(hours=-4)))
    assert frame_name(simulator(), 12, when) == "simcam_20260301T235930_000012.fits"


@pytest.mark.parametrize(
    ("pace", "least"),
    [(FramesPerSecond(10), 0.4), (BytesPerSecond(432_000), 0.4), (FramesPerSecond(math.inf), 0.0)],
)
async def test_the_pace_is_kept(tmp_path: Path, pace: Pace, least: float) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    made = [frame async for frame in run(simulator(), tmp_path, frames=5, pace=pace, began=BEGAN)]
    assert least <= loop.time() - began < least + 1
    assert [frame.index for frame in made] == [0, 1, 2, 3, 4]
    assert made[4].taken - made[0].taken == timedelta(seconds=120)
    assert made[1].path.name == "simcam_20260302T000000_000001.fits"
    assert [frame.path.parent for frame in made] == [tmp_path] * 5
    assert [frame.path.stat().st_size for frame in made] == [frame.size for frame in made]
