"""What the settings of a picture do: stretches, blank pixels, inversion, colours."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from libs.imaging.outcomes import BlankPixels, ColourMap, PictureFormat, Rendered, RenderSettings, Stretch
from libs.imaging.render import render_fits
from libs.imaging.stretch import midtone, stretch

RAMP = np.linspace(0.0, 1000.0, 10_001).reshape(1, -1)
WHOLE = {"lower_percentile": 0.0, "upper_percentile": 100.0}
SIDE = 600


def shades(settings: RenderSettings) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = stretch(RAMP, settings).shades[0]
    return found


@pytest.mark.parametrize("kind", Stretch)
def test_every_stretch_grows_from_black_to_white(kind: Stretch) -> None:
    found = shades(RenderSettings(stretch=kind, **WHOLE))
    assert (int(found[0]), int(found[-1])) == (0, 255)
    assert (np.diff(found.astype(int)) >= 0).all()
    assert len(np.unique(found)) > 200


def test_which_stretches_show_the_faint_and_which_the_bright() -> None:
    middle = {kind: int(shades(RenderSettings(stretch=kind, **WHOLE))[len(RAMP[0]) // 2]) for kind in Stretch}
    brighter = {kind for kind, shade in middle.items() if shade > 130}
    darker = {kind for kind, shade in middle.items() if shade < 125}
    assert brighter == {Stretch.ASINH, Stretch.GAMMA, Stretch.LOG, Stretch.SQRT}
    assert darker == {Stretch.EXP, Stretch.SQUARE, Stretch.SINH, Stretch.MIDTONE}
    assert middle[Stretch.LINEAR] == 128


@pytest.mark.parametrize("middle", [0.001, 0.02, 0.3, 0.5, 0.6])
def test_the_midtone_becomes_middle_grey(middle: float) -> None:
    assert np.allclose(midtone(np.array([0.0, middle, 1.0]), middle), [0.0, 0.5, 1.0])


def test_an_evenly_bright_disc_stays_bright() -> None:
    assert midtone(np.array([0.9]), 0.97)[0] == midtone(np.array([0.9]), 0.6)[0] > 0.8


def test_gamma_and_asinh_have_their_parameters() -> None:
    at = len(RAMP[0]) // 4
    powers = [
        int(shades(RenderSettings(stretch=Stretch.GAMMA, gamma=g, **WHOLE))[at]) for g in (0.25, 1.0, 4.0)
    ]
    assert powers == [180, 64, 1]
    soft = [int(shades(RenderSettings(stretch=Stretch.ASINH, asinh_a=a, **WHOLE))[at]) for a in (0.01, 1.0)]
    assert soft[0] > soft[1]


@pytest.fixture(scope="module")
def holed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ramp upwards with a hole in the lower left corner."""
    data = np.repeat(np.arange(SIDE, dtype=np.float32)[:, None], SIDE, axis=1)
    data[:50, :50] = np.nan
    path = tmp_path_factory.mktemp("holed") / "a.fits"
    fits.PrimaryHDU(data).writeto(path)
    return path


def picture(path: Path, settings: RenderSettings) -> Image.Image:
    outcome = render_fits(path, settings=settings.model_copy(update={"webp": False}))
    assert isinstance(outcome, Rendered)
    with Image.open(BytesIO(outcome.preview.data)) as image:
        image.load()
        return image


HOLE, BOTTOM, TOP = (10, SIDE - 10), (SIDE - 10, SIDE - 1), (SIDE - 10, 0)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize(("shown", "level"), [(BlankPixels.BLACK, 0), (BlankPixels.WHITE, 255)])
def test_blank_pixels_are_as_asked_whatever_is_inverted(
    holed: Path, shown: BlankPixels, level: int, *, invert: bool
) -> None:
    image = picture(holed, RenderSettings(blank_pixels=shown, invert=invert))
    assert image.mode == "L"
    assert image.getpixel(HOLE) == level
    assert (image.getpixel(BOTTOM), image.getpixel(TOP)) == ((255, 0) if invert else (0, 255))


def test_blank_pixels_may_be_transparent(holed: Path) -> None:
    image = picture(holed, RenderSettings(blank_pixels=BlankPixels.TRANSPARENT))
    assert image.mode == "LA"
    assert image.getpixel(HOLE) == (0, 0)
    assert image.getpixel(TOP) == (255, 255)


@pytest.mark.parametrize("colours", [one for one in ColourMap if one is not ColourMap.GREY])
def test_a_colour_map_colours(holed: Path, colours: ColourMap) -> None:
    image = picture(holed, RenderSettings(colour_map=colours, blank_pixels=BlankPixels.WHITE))
    assert image.mode == "RGB"
    assert image.getpixel(HOLE) == (255, 255, 255)
    assert len({image.getpixel((SIDE - 10, row)) for row in range(SIDE)}) > 100


def test_a_colour_map_and_transparency(holed: Path) -> None:
    image = picture(
        holed, RenderSettings(colour_map=ColourMap.VIRIDIS, blank_pixels=BlankPixels.TRANSPARENT, invert=True)
    )
    assert image.mode == "RGBA"
    alpha = image.getchannel("A")
    assert (alpha.getpixel(HOLE), alpha.getpixel(TOP)) == (0, 255)


def noisy(path: Path) -> Path:
    fits.PrimaryHDU(np.random.default_rng(1).normal(100, 5, (900, 700)).astype("f4")).writeto(path)
    return path


def test_pictures_are_webp_where_that_is_smaller(tmp_path: Path) -> None:
    path = noisy(tmp_path / "α.fits")
    plain, small = (render_fits(path, settings=RenderSettings(webp=webp)) for webp in (False, True))
    assert isinstance(plain, Rendered)
    assert isinstance(small, Rendered)
    assert (plain.preview.format, small.preview.format) == (PictureFormat.PNG, PictureFormat.WEBP)
    assert len(small.preview.data) < 0.7 * len(plain.preview.data)
    assert (small.preview.width, small.preview.height) == (plain.preview.width, plain.preview.height)
    with Image.open(BytesIO(plain.preview.data)) as one, Image.open(BytesIO(small.preview.data)) as other:
        difference = np.abs(np.asarray(one, dtype=int) - np.asarray(other.convert("L"), dtype=int))
        assert difference.mean() < 8
        assert other.format == "WEBP"
        assert other.getexif()[270].startswith("Title: \\u03b1.fits\n")
    again = render_fits(path, settings=RenderSettings())
    assert again == small


def test_a_picture_that_webp_makes_larger_stays_a_png(tmp_path: Path) -> None:
    fits.PrimaryHDU(np.eye(4, dtype="f4")).writeto(tmp_path / "a.fits")
    outcome = render_fits(tmp_path / "a.fits", settings=RenderSettings())
    assert isinstance(outcome, Rendered)
    assert outcome.thumbnail.format is PictureFormat.PNG
