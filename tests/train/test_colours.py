from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from recodec.train.data.colours import jittered


def picture(low: int = 0, high: int = 256, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(low, high, (20, 30, 3), dtype=np.uint8)


def luma(pixels: NDArray[np.uint8]) -> float:
    return float((pixels @ np.array([0.299, 0.587, 0.114])).mean())


@pytest.mark.parametrize("level", [0, 1, 128, 254, 255])
def test_extreme_colours_stay_in_range_without_a_warning(level: int) -> None:
    for colour in np.ndindex(2, 2, 2):
        pixels = np.broadcast_to(np.array(colour, np.uint8) * np.uint8(level), (8, 8, 3)).copy()
        for index in range(20):
            with warnings.catch_warnings(action="error"):
                changed = jittered(pixels, np.random.default_rng(index))
            assert changed.shape == (8, 8, 3)
            assert changed.dtype == np.uint8
            # A value that wraps around would leave a flat picture no longer flat, or black white.
            assert (changed == changed[0, 0]).all()
            if len(set(colour)) == 1:
                assert abs(luma(changed) - luma(pixels)) < 80


def test_changes_are_a_function_of_generator_and_pixels() -> None:
    pixels = picture()
    before = pixels.copy()
    changed = [jittered(pixels, np.random.default_rng(index)) for index in range(20)]
    assert np.array_equal(pixels, before)
    assert len({each.tobytes() for each in changed}) == 20
    for index, each in enumerate(changed):
        assert np.array_equal(each, jittered(pixels, np.random.default_rng(index)))


def test_rows_and_columns_in_any_order_are_taken() -> None:
    pixels = picture()
    turned = pixels[:, ::-1].swapaxes(0, 1)
    changed = jittered(pixels, np.random.default_rng(1))
    assert np.array_equal(jittered(turned, np.random.default_rng(1)), changed[:, ::-1].swapaxes(0, 1))


def test_most_changes_are_small_and_some_strong() -> None:
    # Muted, so that nothing is cut off.
    pixels = picture(100, 140)
    spread = np.ptp(pixels.astype(int), axis=2).mean()
    changed = [jittered(pixels, np.random.default_rng(index)) for index in range(300)]
    ratios = np.array([np.ptp(each.astype(int), axis=2).mean() / spread for each in changed])
    assert 0.1 < (ratios > 1.6).mean() < 0.3
    assert 0.01 < (ratios < 0.1).mean() < 0.1
    brightness = np.array([luma(each) / luma(pixels) for each in changed])
    assert 0.65 < brightness.min() < 0.9
    assert 1.1 < brightness.max() < 1.55


def test_bright_crops_do_not_become_white() -> None:
    pixels = picture(200, 256)
    for index in range(100):
        assert (jittered(pixels, np.random.default_rng(index)) == 255).all(2).mean() < 0.4
