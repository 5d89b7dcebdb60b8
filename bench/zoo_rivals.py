"""JPEG and JPEG 2000 of one picture at any size: the best file of at most so many bytes."""

from __future__ import annotations

import io
from functools import cached_property

import numpy as np
from PIL import Image

from recodec.eval.codecs import CLASSIC
from recodec.eval.jpeg import JpegLadder
from zoo_pictures import Pixels

JPEG_420, JPEG_444, JPEG_2000 = NAMES = ("JPEG 4:2:0", "JPEG 4:4:4", "JPEG 2000")

# bpp between which JPEG 2000 is searched for, and how often the range is halved.
_LEAST, _MOST, _HALVINGS = 0.01, 24.0, 14


class Rivals:
    """Of one picture."""

    def __init__(self, original: Pixels):
        self._original = original

    @cached_property
    def _ladders(self) -> dict[str, JpegLadder]:
        image = Image.fromarray(self._original)
        return {name: JpegLadder(image, name.removeprefix("JPEG ")) for name in (JPEG_420, JPEG_444)}

    def within(self, name: str, most_bytes: int) -> tuple[int, Pixels] | None:
        """Bytes and decoded pixels of the largest file; None if all are larger."""
        file = (
            self._jpeg_2000(most_bytes)
            if name == JPEG_2000
            else self._ladders[name].largest_within(most_bytes)
        )
        if file is None:
            return None
        with Image.open(io.BytesIO(file)) as image:
            return len(file), np.asarray(image.convert("RGB"))

    def _jpeg_2000(self, most_bytes: int) -> bytes | None:
        codec = next(codec for codec in CLASSIC if codec.name == "jpeg2000")
        low, high, best = _LEAST, _MOST, None
        for _ in range(_HALVINGS):
            middle = (low * high) ** 0.5
            file = codec.encode(self._original, middle)
            if len(file) > most_bytes:
                high = middle
                continue
            low = middle
            if best is None or len(file) >= len(best):
                best = file
        return best
