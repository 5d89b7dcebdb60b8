"""Squares of a photograph: one anywhere, or the tiles of high entropy."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def random_crop(
    image: Image.Image, size: int, scale: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A random square from the image shrunk by a random factor: (size, size, 3) uint8."""
    factor = max(rng.uniform(*scale), size / min(image.size))
    side = min(max(int(size / factor), 1), *image.size)
    left = int(rng.integers(image.width - side + 1))
    top = int(rng.integers(image.height - side + 1))
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box))


def high_entropy_tiles(image: Image.Image, size: int, keep: float) -> tuple[Image.Image, ...]:
    """The share ``keep``, at least one, of the tiles of ``size`` pixels that PNG compresses worst.

    Tiles do not overlap and start at the top left; the image must hold at least one.
    """
    tiles = [
        image.crop((left, top, left + size, top + size))
        for top in range(0, image.height - size + 1, size)
        for left in range(0, image.width - size + 1, size)
    ]
    largest = sorted(tiles, key=_png_bytes, reverse=True)
    return tuple(largest[: max(1, round(keep * len(tiles)))])


def _png_bytes(tile: Image.Image) -> int:
    file = io.BytesIO()
    tile.save(file, "PNG", compress_level=6)
    return file.tell()
