"""Tables are drawn: what is chosen of them, and what becomes of odd ones."""

import gzip
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from libs.imaging.outcomes import NoPreview, NoPreviewCode, Rendered, RenderSettings
from libs.imaging.pool import PoolSettings, RenderPool
from libs.imaging.render import render_fits
from libs.imaging.tables import (
    MOST_CHANNELS,
    MOST_ROWS,
    ChartKind,
    Column,
    choose_chart,
    columns_of,
    read_values,
)

SETTINGS = RenderSettings(preview_side=400, webp=False)


def column(name: str, length: int = 1, unit: str = "") -> Column:
    return Column(name, unit, length)


def test_lines_against_time() -> None:
    chart = choose_chart([column("RA"), column("UTSECS", unit="s"), column("XX1"), column("YY1")], 100)
    assert chart is not None
    assert (chart.kind, chart.across) == (ChartKind.LINES, column("UTSECS", unit="s"))
    assert [one.name for one in chart.values] == ["XX1", "YY1"]


def test_lines_of_whatever_there_is_against_the_row() -> None:
    chart = choose_chart([column("gain")], 2)
    assert chart is not None
    assert (chart.across, [one.name for one in chart.values]) == (None, ["gain"])


def test_one_array_is_a_spectrum_and_many_are_a_waterfall() -> None:
    columns = [column("MJD"), column("FREQ", 64), column("DATA", 64), column("WEIGHT", 64)]
    for rows, kind in ((1, ChartKind.SPECTRUM), (2, ChartKind.WATERFALL)):
        chart = choose_chart(columns, rows)
        assert chart is not None
        assert (chart.kind, chart.across, chart.values) == (kind, column("FREQ", 64), (column("DATA", 64),))


def test_an_axis_of_another_length_is_none() -> None:
    chart = choose_chart([column("FREQ", 65), column("DATA", 64)], 1)
    assert chart is not None
    assert chart.across is None


@pytest.mark.parametrize(
    ("columns", "rows"),
    [([], 5), ([column("flux")], 0), ([column("flux")], 1), ([column("time")], 5), ([column("DATA", 9)], 0)],
)
def test_there_is_nothing_to_draw(columns: list[Column], rows: int) -> None:
    assert choose_chart(columns, rows) is None


def written(path: Path, *columns: fits.Column, text: bool = False) -> Path:
    kind = fits.TableHDU if text else fits.BinTableHDU
    fits.HDUList([fits.PrimaryHDU(), kind.from_columns(columns, name="TRACK")]).writeto(path)
    return path


def drawn(path: Path) -> Rendered:
    outcome = render_fits(path, settings=SETTINGS)
    assert isinstance(outcome, Rendered), outcome
    return outcome


def pixels(picture: bytes) -> NDArray[np.uint8]:
    with Image.open(BytesIO(picture)) as image:
        return np.asarray(image.convert("RGB"))


def test_a_track_is_drawn_and_says_so(tmp_path: Path) -> None:
    time = np.arange(300.0)
    path = written(
        tmp_path / "a.fits",
        fits.Column("UTSECS", "D", "s", array=time),
        fits.Column("XX", "E", "Jy", array=np.sin(time / 30)),
        fits.Column("YY", "E", "Jy", array=np.cos(time / 30)),
    )
    outcome = drawn(path)
    assert (outcome.hdu, outcome.native_width, outcome.native_height) == (1, 300, 2)
    assert outcome.black == pytest.approx(-1, abs=0.01)
    assert (outcome.preview.width, outcome.thumbnail.width) == (400, 128)
    with Image.open(BytesIO(outcome.preview.data)) as image:
        assert image.info["Chart"] == "lines of XX, YY"
        assert image.info["FITS-HDU"] == "1 TRACK"
    colours = {tuple(pixel) for pixel in pixels(outcome.preview.data).reshape(-1, 3)}
    assert len(colours) > 20
    assert drawn(path) == outcome


def test_the_line_of_a_spectrum_is_where_it_should_be(tmp_path: Path) -> None:
    frequency = np.linspace(1.42e9, 1.421e9, 200)
    flux = np.zeros(200)
    flux[150:] = 1.0
    path = written(
        tmp_path / "a.fits",
        fits.Column("FREQ", "200D", "Hz", array=frequency[None]),
        fits.Column("FLUX", "200E", "K", array=flux[None]),
    )
    outcome = drawn(path)
    assert (outcome.native_width, outcome.native_height) == (200, 1)
    rows, columns = np.nonzero((pixels(outcome.preview.data) == (31, 119, 180)).all(axis=2))
    left, right = rows[columns < np.median(columns)], rows[columns > columns.max() - 20]
    assert right.min() < left.min()


def test_the_waterfall_has_its_first_row_at_the_bottom(tmp_path: Path) -> None:
    data = np.zeros((40, 30), dtype=np.float32)
    data[:20] = 1.0
    outcome = drawn(written(tmp_path / "a.fits", fits.Column("DATA", "30E", array=data)))
    picture = pixels(outcome.preview.data)
    red, green, blue = picture[:, picture.shape[1] // 3].T.astype(int)
    yellow = np.nonzero((red > 200) & (blue < 100))[0]
    violet = np.nonzero((red > 50) & (green < 10))[0]
    assert len(yellow) > 50 < len(violet)
    assert yellow.min() > violet.max()


def test_large_tables_are_thinned_out(tmp_path: Path) -> None:
    data = np.arange(3 * MOST_ROWS * 2, dtype=np.float32).reshape(-1, 2)
    path = written(tmp_path / "a.fits", fits.Column("DATA", "2E", array=data))
    with fits.open(path) as hdus:
        (found,) = columns_of(hdus[1])
        values = read_values(hdus[1], found, len(data))
    assert values.shape == (MOST_ROWS, 2)
    assert values[1, 0] == 3 * 2
    wide = np.arange(2.0 * (MOST_CHANNELS + 1)).reshape(2, -1)
    other = written(tmp_path / "b.fits", fits.Column("DATA", f"{MOST_CHANNELS + 1}E", array=wide))
    with fits.open(other) as hdus:
        assert read_values(hdus[1], columns_of(hdus[1])[0], 2).shape[1] <= MOST_CHANNELS


def test_what_is_no_number_is_no_column(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.fits",
        fits.Column("who", "5A", array=np.array(["a", "b"])),
        fits.Column("ok", "L", array=np.array([True, False])),
        fits.Column("z", "C", array=np.array([1j, 2j])),
        fits.Column("many", "PE()", array=np.array([np.ones(2), np.ones(3)], dtype=object)),
        fits.Column("n", "3J", array=np.ones((2, 3))),
    )
    with fits.open(path) as hdus:
        assert columns_of(hdus[1]) == [column("n", 3)]


def test_text_tables_and_gzipped_ones(tmp_path: Path) -> None:
    columns = (
        fits.Column("time", "F8.3", array=np.arange(9.0)),
        fits.Column("flux", "E12.4", array=np.ones(9)),
    )
    path = written(tmp_path / "a.fits", *columns, text=True)
    assert drawn(path).native_width == 9
    zipped = tmp_path / "b.fits.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert pixels(drawn(zipped).preview.data).shape == pixels(drawn(path).preview.data).shape


def test_blank_constant_and_strangely_named_columns(tmp_path: Path) -> None:
    blank = written(tmp_path / "a.fits", fits.Column("flux", "E", array=np.full(9, np.nan)))
    refused = render_fits(blank, settings=SETTINGS)
    assert isinstance(refused, NoPreview)
    assert refused.code is NoPreviewCode.ALL_BLANK
    odd = written(
        tmp_path / "b.fits",
        fits.Column("first", "E", array=np.full(9, 5.0)),
        fits.Column("second", "E", array=np.array([np.inf, -np.inf, np.nan, *np.ones(6)])),
    )
    names = odd.read_bytes().replace(b"'first   '", rb"'$\frac$ '").replace(b"'second  '", b"'_y  $   '")
    odd.write_bytes(names)
    assert drawn(odd).white == 5.0


async def test_a_worker_draws_within_its_memory(tmp_path: Path) -> None:
    data = np.ones((20_000, 500), dtype=np.float32)
    path = written(tmp_path / "a.fits", fits.Column("DATA", "500E", array=data))
    async with RenderPool(PoolSettings()) as pool:
        assert isinstance(await pool.render(path, SETTINGS), Rendered)


def test_a_cut_table_is_truncated(tmp_path: Path) -> None:
    path = written(tmp_path / "a.fits", fits.Column("flux", "E", array=np.ones(9000)))
    path.write_bytes(path.read_bytes()[:20_000])
    refused = render_fits(path, settings=SETTINGS)
    assert isinstance(refused, NoPreview)
    assert refused.code is NoPreviewCode.TRUNCATED
    assert "the table ends" in refused.reason


def test_flipped_bytes_never_raise(tmp_path: Path) -> None:
    sound = written(
        tmp_path / "sound.fits",
        fits.Column("time", "D", array=np.arange(50.0)),
        fits.Column("data", "20E", array=np.ones((50, 20))),
    ).read_bytes()
    rng = np.random.default_rng(6)
    for number in range(15):
        spoilt = bytearray(sound)
        for place in rng.integers(2880, 5760, size=4):
            spoilt[place] = int(rng.integers(256))
        path = tmp_path / f"{number}.fits"
        path.write_bytes(spoilt)
        assert isinstance(render_fits(path, settings=SETTINGS), Rendered | NoPreview)


def sky(path: Path, data: NDArray[np.float32], **cards: object) -> Path:
    hdu = fits.PrimaryHDU(data)
    hdu.header.update(
        {
            "CTYPE1": "GLON-CAR",
            "CTYPE2": "GLAT-CAR",
            "CRVAL1": 80.0,
            "CRVAL2": 0.0,
            "CRPIX1": 20.0,
            "CRPIX2": 15.0,
            "CDELT1": -0.1,
            "CDELT2": 0.1,
            "BUNIT": "K",
        }
        | cards
    )
    hdu.writeto(path)
    return path


def blob(rows: int = 30, columns: int = 40) -> NDArray[np.float32]:
    y, x = np.mgrid[:rows, :columns]
    values: NDArray[np.float32] = np.exp(-((x - columns * 0.75) ** 2 + (y - rows * 0.75) ** 2) / (rows / 3))
    return values.astype("f4")


def test_a_radio_map_has_colours_and_coordinates(tmp_path: Path) -> None:
    outcome = drawn(sky(tmp_path / "a.fits", blob()))
    assert (outcome.native_width, outcome.native_height) == (40, 30)
    with Image.open(BytesIO(outcome.preview.data)) as image:
        assert image.info["Chart"] == "map in K"
        assert (image.mode, image.size) == ("RGB", (400, 300))
    red, _, blue = np.moveaxis(pixels(outcome.preview.data).astype(int), 2, 0)
    rows, columns = np.nonzero((red > 200) & (blue < 60))
    inside = columns < 300  # the scale is to the right
    assert rows[inside].mean() < 150 < columns[inside].mean()
    with Image.open(BytesIO(outcome.thumbnail.data)) as image:
        assert image.mode == "L"


def test_a_large_map_is_averaged_and_its_coordinates_with_it(tmp_path: Path) -> None:
    path = sky(tmp_path / "a.fits", blob(300, 400), CDELT1=-0.01, CDELT2=0.01, CRPIX1=200.0, CRPIX2=150.0)
    small = render_fits(path, settings=RenderSettings(preview_side=400, webp=False, working_side=64))
    assert isinstance(small, Rendered)
    assert small.preview.data != drawn(path).preview.data


@pytest.mark.parametrize(
    "cards",
    [
        {"BUNIT": "adu"},
        {"CTYPE1": "LINEAR"},
        {"CTYPE2": "FREQ"},
        {"CTYPE1": "RA---TAN", "CTYPE2": "GLAT-TAN"},
        {"CTYPE1": "GLON-XXX", "CTYPE2": "GLAT-XXX"},
    ],
)
def test_what_is_no_map_is_an_image(tmp_path: Path, cards: dict[str, object]) -> None:
    with Image.open(BytesIO(drawn(sky(tmp_path / "a.fits", blob(), **cards)).preview.data)) as image:
        assert (image.mode, "Chart" in image.info) == ("L", False)


def test_flipped_axes_never_raise(tmp_path: Path) -> None:
    sound = sky(tmp_path / "sound.fits", blob()).read_bytes()
    rng = np.random.default_rng(7)
    for number in range(15):
        spoilt = bytearray(sound)
        for place in rng.integers(400, 1400, size=3):
            spoilt[place] = int(rng.integers(33, 126))
        path = tmp_path / f"{number}.fits"
        path.write_bytes(spoilt)
        assert isinstance(render_fits(path, settings=SETTINGS), Rendered | NoPreview)
