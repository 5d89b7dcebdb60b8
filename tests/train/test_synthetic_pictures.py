from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from recodec.train.data import synthetic
from recodec.train.data.synthetic import synthetic_picture


def drawn(size: int, count: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    return [synthetic_picture(size, np.random.default_rng([seed, index])) for index in range(count)]


@pytest.mark.parametrize("size", [1, 2, 7, 16, 33, 128])
def test_pictures_have_their_size(size: int) -> None:
    for picture in drawn(size, 100):
        assert picture.shape == (size, size, 3)
        assert picture.dtype == np.uint8


def test_pictures_are_functions_of_generator_and_size() -> None:
    first = drawn(64, 60)
    # Fonts are kept between pictures.
    drawn(48, 60, seed=1)
    for one, other in zip(first, drawn(64, 60), strict=True):
        assert np.array_equal(one, other)
    assert len({picture.tobytes() for picture in first}) > 55


def test_sizes_below_1_are_refused() -> None:
    with pytest.raises(ValueError, match="size is 0; it must be at least 1"):
        synthetic_picture(0, np.random.default_rng(0))


def test_colours_reach_all_corners_of_the_cube() -> None:
    colours = {synthetic._colour(np.random.default_rng(index)) for index in range(2000)}
    corners = {colour for colour in colours if set(colour) <= {0, 255}}
    assert len(corners) == 8
    assert len(colours) > 1200
    octants = {tuple(value > 127 for value in colour) for colour in colours - corners}
    assert len(octants) == 8


def test_pairs_can_be_told_apart() -> None:
    for index in range(300):
        one, other = synthetic._pair(np.random.default_rng(index))
        assert max(abs(a - b) for a, b in zip(one, other, strict=True)) > 50


def test_flat_areas_are_flat_and_sometimes_whole() -> None:
    pictures = [np.asarray(synthetic._flat(32, np.random.default_rng(index))) for index in range(60)]
    counts = [len(np.unique(picture.reshape(-1, 3), axis=0)) for picture in pictures]
    assert counts.count(1) > 10
    assert max(counts) <= 9


def test_gradients_are_smooth_and_some_dithered() -> None:
    gradients = [synthetic._gradient(64, np.random.default_rng(index)) for index in range(60)]
    # Second differences of a ramp are those of rounding; dither adds some levels.
    rough = [np.abs(np.diff(picture.astype(int), 2, axis=1)).mean() for picture in gradients]
    assert max(rough) < 4
    assert sum(value > 0.8 for value in rough) > 10
    assert sum(value < 0.6 for value in rough) > 10


def test_text_is_smoothed() -> None:
    for index in range(30):
        picture = np.asarray(synthetic._text(128, np.random.default_rng(index)))
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 8


def test_patterns_go_down_to_one_pixel() -> None:
    finest = 0
    for index in range(60):
        picture = np.asarray(synthetic._pattern(32, np.random.default_rng(index))).astype(int)
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) <= 2
        corner = picture[-8:, -8:]
        finest += bool((np.abs(np.diff(corner, axis=0)).max(2) > 0).all())
    assert finest > 3
