"""Files for the tests of the plugin."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from recodec.pillow import RecodecImageFile


def opened(data: bytes) -> RecodecImageFile:
    image = Image.open(io.BytesIO(data))
    assert isinstance(image, RecodecImageFile)
    return image


def same(a: Image.Image, b: Image.Image) -> bool:
    return a.mode == b.mode and np.array_equal(np.asarray(a), np.asarray(b))
