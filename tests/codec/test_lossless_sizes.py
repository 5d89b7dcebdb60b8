"""Random sizes of lossless files in every mode: all samples come back, whole, cut anywhere, and strip by strip."""

from __future__ import annotations

import io
import itertools
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

import recodec
from tests.strip_files import small_strips

SIZES, MOST, PARTS = 300, 40, 10
MODES = list(itertools.product((1, 2, 3, 4), (8, 16), (None, 0.5), ("fast", "default", "best")))
SEED = 11


def noise(rng: Generator, shape: tuple[int, ...], most: int) -> NDArray[Any]:
    return rng.integers(0, most + 1, shape)


def slopes(rng: Generator, shape: tuple[int, ...], most: int) -> NDArray[Any]:
    y, x, c = np.ogrid[: shape[0], : shape[1], : shape[2]]
    a, b = rng.uniform(-1, 1, 2) * most / MOST
    return (most / 2 + a * x + b * y + c * most / 16 + rng.normal(0, most / 64, shape)).clip(0, most)


def drawn(rng: Generator, shape: tuple[int, ...], most: int) -> NDArray[Any]:
    few = rng.integers(0, most + 1, (int(rng.integers(1, 400)), shape[2]))
    blocks = few[rng.integers(0, len(few), (-(-shape[0] // 2), -(-shape[1] // 3)))]
    return blocks.repeat(2, 0).repeat(3, 1)[: shape[0], : shape[1]]


def flat(rng: Generator, shape: tuple[int, ...], most: int) -> NDArray[Any]:
    return np.full(shape, rng.integers(0, most + 1, shape[2]))


LOOKS = (noise, slopes, drawn, flat)


@pytest.mark.parametrize("part", range(PARTS))
def test_samples_come_back(part: int, tiny_model: str) -> None:
    for number in range(part, SIZES, PARTS):
        rng = np.random.default_rng((SEED, number))
        channels, depth, preview, effort = MODES[number % len(MODES)]
        shape = int(rng.integers(1, MOST + 1)), int(rng.integers(1, MOST + 1)), channels
        look = LOOKS[int(rng.integers(len(LOOKS)))]
        image = look(rng, shape, (1 << depth) - 1).astype(np.uint8 if depth == 8 else np.uint16)
        options: Any = {} if preview is None else {"preview": preview, "model": tiny_model}
        with small_strips(int(rng.integers(1, shape[0] + 1)), shape[1]):
            data = recodec.encode(image, lossless=True, effort=effort, **options)
        what = f"{number}: {look.__name__} {shape}, {depth} bits, preview {preview}, effort {effort}"
        info = recodec.info(data)
        assert info.lossless, what
        np.testing.assert_array_equal(recodec.decode(data, like="numpy"), image, what)
        *_, last = recodec.progressive(io.BytesIO(data), like="numpy")
        np.testing.assert_array_equal(last, image, what)
        assert last.dtype == image.dtype
        cut = data[: int(rng.integers(info.prefix_bytes(1), len(data)))]
        rows = recodec.info(cut).strips * (info.exact or info.details).strip_rows
        np.testing.assert_array_equal(recodec.decode(cut, like="numpy")[:rows], image[:rows], what)


def test_every_mode_is_among_them() -> None:
    assert len({MODES[number % len(MODES)] for number in range(SIZES)}) == len(MODES) == 48
