"""Every kind of file that is hard to show, rendered in this process."""

import gzip
import hashlib
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from libs.imaging.outcomes import NoPreview, NoPreviewCode, Picture, Rendered, RenderSettings, Stretch
from libs.imaging.render import render_fits

SETTINGS = RenderSettings(webp=False)
EXAMPLES = Path(__file__).parents[4] / "examples" / "data"


def gradient(rows: int = 40, columns: int = 60) -> NDArray[np.float32]:
    return np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)


def primary(path: Path, data: NDArray[Any] | None, **cards: object) -> Path:
    hdu = fits.PrimaryHDU(data)
    hdu.header.update(cards)
    hdu.writeto(path, output_verify="ignore")
    return path


def rendered(path: Path, settings: RenderSettings = SETTINGS) -> Rendered:
    outcome = render_fits(path, settings=settings)
    assert isinstance(outcome, Rendered), outcome
    return outcome


def refused(path: Path) -> NoPreview:
    outcome = render_fits(path, settings=SETTINGS)
    assert isinstance(outcome, NoPreview)
    assert outcome.reason
    return outcome


def shades(picture: Picture) -> NDArray[np.uint8]:
    with Image.open(BytesIO(picture.data)) as image:
        assert image.size == (picture.width, picture.height)
        assert image.mode == "L"
        return np.asarray(image)


def test_row_zero_is_at_the_bottom(tmp_path: Path) -> None:
    picture = shades(rendered(primary(tmp_path / "a.fits", gradient())).preview)
    assert picture[-1].max() < picture[0].min()
    assert picture[-1, 0] == picture.min()


def test_sizes_native_size_and_etag(tmp_path: Path) -> None:
    outcome = rendered(primary(tmp_path / "a.fits", gradient(300, 1500)))
    assert (outcome.native_width, outcome.native_height) == (1500, 300)
    assert (outcome.preview.width, outcome.preview.height) == (1024, 205)
    assert (outcome.thumbnail.width, outcome.thumbnail.height) == (128, 26)
    assert outcome.preview.etag == hashlib.sha256(outcome.preview.data).hexdigest()
    assert outcome.thumbnail.etag != outcome.preview.etag


def test_the_picture_says_what_it_shows(tmp_path: Path) -> None:
    name = "α Centauri\nline two.fits"
    with Image.open(BytesIO(rendered(primary(tmp_path / name, gradient())).preview.data)) as image:
        assert image.info["Title"] == name
        assert image.info["FITS-HDU"] == "0 PRIMARY"
        assert image.info["FITS-Plane"] == "1 of 1"
        assert image.info["Stretch"].startswith("midtone, percentiles 1, 97.5 and 99.8, black 23.99")


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    path = Path(f"{tmp_path}/bad\udcff.fits")
    path.write_bytes(primary(tmp_path / "a.fits", gradient()).read_bytes())
    with Image.open(BytesIO(rendered(path).thumbnail.data)) as image:
        assert image.info["Title"] == "bad\\udcff.fits"


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    path = primary(tmp_path / "a.fits", gradient())
    assert rendered(path) == rendered(path)
    assert (
        rendered(path).preview.etag
        != rendered(path, RenderSettings(upper_percentile=99, webp=False)).preview.etag
    )


def test_all_blank_is_a_state_with_a_reason(tmp_path: Path) -> None:
    path = primary(tmp_path / "a.fits", np.full((20, 20), np.nan, dtype=np.float32))
    assert refused(path).code is NoPreviewCode.ALL_BLANK
    blank = primary(tmp_path / "b.fits", np.full((20, 20), -1, dtype=np.int16), BLANK=-1)
    assert refused(blank).code is NoPreviewCode.ALL_BLANK


@pytest.mark.parametrize("value", [0.0, -5.0, 1e308, 5e-324])
def test_a_constant_image_is_grey(tmp_path: Path, value: float) -> None:
    picture = shades(rendered(primary(tmp_path / "a.fits", np.full((9, 9), value))).preview)
    assert np.unique(picture).tolist() == [128]


def test_values_at_the_ends_of_the_range(tmp_path: Path) -> None:
    data = np.array([[-1.7e308, 0.0, np.inf], [1.7e308, 1.0, -np.inf]])
    picture = shades(rendered(primary(tmp_path / "a.fits", data)).preview)
    assert (int(picture.min()), int(picture.max())) == (0, 255)


def test_blank_pixels_do_not_spread_when_shrunk(tmp_path: Path) -> None:
    data = gradient(2100, 2100) % 97 + 1000
    data[::5, ::3] = np.nan
    outcome = rendered(primary(tmp_path / "a.fits", data), RenderSettings(stretch=Stretch.LINEAR, webp=False))
    assert outcome.black >= 1000
    assert np.median(shades(outcome.thumbnail)) > 50


def test_integers_with_blank_and_scale(tmp_path: Path) -> None:
    data = np.arange(100, dtype=np.int16).reshape(10, 10)
    data[0, 0] = -32768
    path = primary(tmp_path / "a.fits", data, BLANK=-32768, BSCALE=2.0, BZERO=100.0)
    outcome = rendered(path)
    assert 100 < outcome.black < 110
    assert 290 < outcome.white < 299
    assert shades(outcome.preview)[-1, 0] == 0


def test_unsigned_integers(tmp_path: Path) -> None:
    data = np.array([[0, 65_535], [40_000, 20_000]], dtype=np.uint16)
    outcome = rendered(primary(tmp_path / "a.fits", data))
    assert 0 <= outcome.black < outcome.white <= 65_535
    picture = shades(outcome.preview)
    assert (picture[-1, 0], picture[-1, -1]) == (0, 255)


@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (1, 5000), (1, 1)])
def test_thin_images(tmp_path: Path, shape: tuple[int, int]) -> None:
    preview = rendered(primary(tmp_path / "a.fits", gradient(*shape))).preview
    height, width = shape
    assert (preview.height > preview.width) == (height > width)
    assert (preview.height == preview.width) == (height == width)


def test_of_a_cube_the_middle_plane_is_shown(tmp_path: Path) -> None:
    cube = np.zeros((1, 7, 30, 40), dtype=np.int32)
    cube[0, 3] = gradient(30, 40)
    outcome = rendered(primary(tmp_path / "a.fits", cube))
    assert (outcome.plane, outcome.planes) == (3, 7)
    assert outcome.preview.data != rendered(primary(tmp_path / "b.fits", cube[0, 2])).preview.data
    flat = rendered(primary(tmp_path / "c.fits", cube[0, 3]))
    assert (shades(outcome.preview) == shades(flat.preview)).all()


def table() -> fits.BinTableHDU:
    return fits.BinTableHDU.from_columns([fits.Column("flux", "E", array=np.arange(50.0))])


def test_the_image_is_in_the_second_extension(tmp_path: Path) -> None:
    image = fits.ImageHDU(gradient(), name="SCI")
    fits.HDUList([fits.PrimaryHDU(), table(), image]).writeto(tmp_path / "a.fits")
    assert rendered(tmp_path / "a.fits").hdu == 2


def compressed(**options: object) -> fits.HDUList:
    data = np.rint(np.random.default_rng(1).normal(500, 30, (300, 200))).astype(np.int16)
    return fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, **options)])


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1"])
def test_tile_compressed_images_look_like_plain_ones(tmp_path: Path, kind: str) -> None:
    hdus = compressed(compression_type=kind, tile_shape=(50, 70))
    hdus.writeto(tmp_path / "a.fits.fz")
    plain = rendered(primary(tmp_path / "b.fits", hdus[1].data))
    outcome = rendered(tmp_path / "a.fits.fz")
    assert outcome.hdu == 1
    assert (shades(outcome.preview) == shades(plain.preview)).all()


def test_tile_compressed_cube_with_blank(tmp_path: Path) -> None:
    data = np.zeros((3, 60, 50), dtype=np.int16)
    data[1] = gradient(60, 50)
    data[1, :30] = -99
    image = fits.CompImageHDU(data, compression_type="RICE_1")
    image.header["BLANK"] = -99
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "a.fits.fz")
    outcome = rendered(tmp_path / "a.fits.fz")
    assert outcome.plane == 1
    assert outcome.black >= 1500


def test_gzipped_files_look_like_plain_ones(tmp_path: Path) -> None:
    path = primary(tmp_path / "a.fits", gradient())
    zipped = tmp_path / "a.fits.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert (shades(rendered(zipped).preview) == shades(rendered(path).preview)).all()
    both = tmp_path / "b.fits.fz.gz"
    compressed().writeto(tmp_path / "b.fits.fz")
    both.write_bytes(gzip.compress((tmp_path / "b.fits.fz").read_bytes()))
    assert rendered(both).hdu == 1


def test_a_table_of_words_has_no_picture(tmp_path: Path) -> None:
    words = fits.BinTableHDU.from_columns([fits.Column("who", "8A", array=np.array(["a", "b"]))])
    fits.HDUList([fits.PrimaryHDU(), words]).writeto(tmp_path / "a.fits")
    refusal = refused(tmp_path / "a.fits")
    assert refusal.code is NoPreviewCode.NO_IMAGE
    assert "Primary, BinTable" in refusal.reason


def test_random_groups_are_tables_too(tmp_path: Path) -> None:
    groups = fits.GroupData(
        np.ones((5, 8, 9), dtype=np.float32), bitpix=-32, parnames=["U"], pardata=[np.arange(5.0)]
    )
    fits.HDUList([fits.GroupsHDU(groups)]).writeto(tmp_path / "a.fits")
    assert refused(tmp_path / "a.fits").code is NoPreviewCode.NO_IMAGE


@pytest.mark.parametrize("side", ["  999999", "99999999"])
def test_a_header_that_promises_too_much_is_seen_before_reading(tmp_path: Path, side: str) -> None:
    path = primary(tmp_path / "a.fits", gradient())
    spoiled = path.read_bytes().replace(b"      40", side.encode()).replace(b"      60", side.encode())
    path.write_bytes(spoiled)
    refusal = refused(path)
    # Beyond the largest offset of the file system the header itself is at fault.
    ends = f"{4 * int(side) ** 2 + 2880:,}"
    assert (refusal.code is NoPreviewCode.TRUNCATED and ends in refusal.reason) or (
        refusal.code is NoPreviewCode.DAMAGED and int(side) == 99_999_999
    )


def test_the_noise_of_an_almost_empty_field_stays_dark(tmp_path: Path) -> None:
    field = np.random.default_rng(4).normal(1000, 10, (200, 200))
    field[50, 50] = 9000
    outcome = rendered(primary(tmp_path / "a.fits", field))
    assert np.median(shades(outcome.preview)) < 110
    assert outcome.white < 1300


def test_a_spectrum_and_an_empty_header_have_no_image(tmp_path: Path) -> None:
    assert refused(primary(tmp_path / "a.fits", gradient(1, 60)[0])).code is NoPreviewCode.NO_IMAGE
    assert refused(primary(tmp_path / "b.fits", None)).code is NoPreviewCode.NO_IMAGE


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def undecodable(data: bytes) -> bytes:
    """Gzip the first half, then go on with a block of the type that DEFLATE reserves."""
    zipper = zlib.compressobj(wbits=31)
    return zipper.compress(cut(data)) + zipper.flush(zlib.Z_FULL_FLUSH) + b"\x07" * 100


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (cut, NoPreviewCode.TRUNCATED),
        (lambda data: gzip.compress(cut(data)), NoPreviewCode.TRUNCATED),
        (lambda data: cut(gzip.compress(data)), NoPreviewCode.TRUNCATED),
        (undecodable, NoPreviewCode.DAMAGED),
        (lambda data: data[:80], NoPreviewCode.DAMAGED),
        (lambda data: data.replace(b"NAXIS1  =", b"NAXISX  ="), NoPreviewCode.DAMAGED),
        (
            lambda data: data.replace(b"BITPIX  =                  -32", b"BITPIX  =                  -33"),
            None,
        ),
        (lambda data: data.replace(b"    60", b"999999"), NoPreviewCode.TRUNCATED),
        (lambda _: b"", NoPreviewCode.EMPTY_FILE),
        (lambda _: np.random.default_rng(3).bytes(10_000), NoPreviewCode.NOT_FITS),
        (lambda _: b"plain words", NoPreviewCode.NOT_FITS),
    ],
)
def test_damage_is_named(tmp_path: Path, spoil: Callable[[bytes], bytes], code: NoPreviewCode | None) -> None:
    path = primary(tmp_path / "a.fits", np.random.default_rng(2).normal(size=(900, 60)).astype(np.float32))
    path.write_bytes(spoil(path.read_bytes()))
    refusal = refused(path)
    assert refusal.code is (code or NoPreviewCode.DAMAGED)


def test_flipped_bytes_never_raise(tmp_path: Path) -> None:
    sound = compressed().copy()
    sound.writeto(tmp_path / "sound.fits.fz")
    data = (tmp_path / "sound.fits.fz").read_bytes()
    rng = np.random.default_rng(5)
    for number in range(150):
        spoiled = bytearray(data)
        for place in rng.integers(80, min(len(data), 9000), size=4):
            spoiled[place] = int(rng.integers(256))
        path = tmp_path / f"{number}.fits"
        path.write_bytes(spoiled)
        assert isinstance(render_fits(path, settings=SETTINGS), Rendered | NoPreview)


def test_missing_and_forbidden_files(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.fits").code is NoPreviewCode.UNREADABLE
    assert refused(tmp_path).code is NoPreviewCode.UNREADABLE


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.fits")), ids=lambda path: path.stem)
def test_real_suns_are_brighter_than_the_sky(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = shades(rendered(path).preview)
    side = len(picture)
    disc = picture[side // 4 : -side // 4, side // 4 : -side // 4]
    corner = picture[: side // 12, : side // 12]
    assert disc.mean() > corner.mean() + 30
    assert disc.std() > 2


def test_settings_that_contradict_themselves() -> None:
    with pytest.raises(ValueError, match="must be below"):
        RenderSettings(lower_percentile=60, upper_percentile=50)
