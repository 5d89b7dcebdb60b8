"""Photographs for the tests of training data."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

TRUNCATED = "truncated.jpg"


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    # From 64 up, so that nothing but a missing photograph is black.
    return Image.fromarray(np.random.default_rng(seed).integers(64, 256, (height, width, 3), dtype=np.uint8))


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
