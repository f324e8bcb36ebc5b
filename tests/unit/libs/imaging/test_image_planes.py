"""Which plane is shown, in which size, averaged how."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from libs.imaging.averaging import block_mean
from libs.imaging.encoding import Size, fitted_size
from libs.imaging.planes import PlaneChoice, choose_plane


@pytest.mark.parametrize("shape", [(), (7,), (0, 5), (3, 0, 5)])
def test_no_plane(shape: tuple[int, ...]) -> None:
    assert choose_plane(shape) is None


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 6), PlaneChoice((None, None), 0, 1, 4, 6)),
        ((1, 6), PlaneChoice((None, None), 0, 1, 1, 6)),
        ((6, 1), PlaneChoice((None, None), 0, 1, 6, 1)),
        ((1, 1, 4, 6), PlaneChoice((0, 0, None, None), 0, 1, 4, 6)),
        ((4, 6, 1), PlaneChoice((None, None, 0), 0, 1, 4, 6)),
        ((1, 1, 6), PlaneChoice((0, None, None), 0, 1, 1, 6)),
        ((5, 4, 6), PlaneChoice((2, None, None), 2, 5, 4, 6)),
        ((2, 5, 4, 6), PlaneChoice((1, 2, None, None), 7, 10, 4, 6)),
        ((2, 1, 4, 6), PlaneChoice((1, 0, None, None), 1, 2, 4, 6)),
    ],
)
def test_plane(shape: tuple[int, ...], expected: PlaneChoice) -> None:
    assert choose_plane(shape) == expected


@given(st.lists(st.integers(1, 4), min_size=2, max_size=5))
def test_the_plane_number_is_where_the_plane_lies_in_the_file(lengths: list[int]) -> None:
    choice = choose_plane(tuple(lengths))
    assert choice is not None
    array = np.arange(np.prod(lengths)).reshape(lengths)
    index = tuple(slice(None) if place is None else place for place in choice.index)
    pixels = choice.height * choice.width
    flat = array.ravel()[choice.plane * pixels : (choice.plane + 1) * pixels]
    assert array[index].tolist() == flat.reshape(choice.height, choice.width).tolist()


@pytest.mark.parametrize(
    ("native", "preview"),
    [
        (Size(4096, 2048), Size(1024, 512)),
        (Size(2048, 4096), Size(512, 1024)),
        (Size(1024, 10), Size(1024, 10)),
        (Size(600, 600), Size(600, 600)),
        (Size(128, 128), Size(512, 512)),
        (Size(100, 30), Size(500, 150)),
        (Size(1, 1), Size(512, 512)),
        (Size(50_000, 1), Size(1024, 1)),
    ],
)
def test_preview_size(native: Size, preview: Size) -> None:
    assert fitted_size(native, 1024, 512) == preview


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_sizes_keep_the_aspect(width: int, height: int) -> None:
    size = fitted_size(Size(width, height), 128, 128)
    assert 1 <= min(size.width, size.height) <= max(size.width, size.height) <= 128
    if min(size.width, size.height) > 1:
        assert abs(size.width * height - size.height * width) <= max(width, height)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 15))
def test_block_mean_equals_the_mean_of_each_square(height: int, width: int, factor: int) -> None:
    values = np.random.default_rng(height * 100 + width).normal(size=(height, width))
    values[values > 1] = np.nan
    got = block_mean(values.copy(), factor)
    assert got.shape == (-(-height // factor), -(-width // factor))
    for (row, column), mean in np.ndenumerate(got):
        square = values[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
        known = square[np.isfinite(square)]
        assert_allclose(mean, known.mean() if known.size else np.nan, rtol=1e-12, atol=1e-12)


def test_infinite_pixels_are_blank() -> None:
    values = np.array([[np.inf, 1.0], [-np.inf, 3.0]])
    assert block_mean(values, 2).tolist() == [[2.0]]
    assert np.isnan(block_mean(values, 1)[:, 0]).all()
    assert np.isnan(block_mean(np.full((2, 2), 1e308), 2)).all()
