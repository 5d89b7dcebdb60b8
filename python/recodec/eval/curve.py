"""Rate and distortion of one picture, iteration by iteration, measured on real files."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, cast

import numpy as np
from PIL import Image

import recodec
from recodec.codec import Codec
from recodec.errors import ImageError
from recodec.eval.jpeg import JpegLadder
from recodec.eval.metrics import Pixels, ms_ssim, psnr
from recodec.io.pictures import read_picture
from recodec.limits import DEFAULT_MAX_PIXELS, check_pixels


@dataclass(frozen=True, slots=True)
class Score:
    """Size of a file and distortion of the picture in it. ``ms_ssim`` is None for small pictures."""

    bytes: int
    bpp: float
    psnr: float
    ms_ssim: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """What a file holds after so many iterations."""

    iterations: int
    file: bytes
    pixels: Pixels
    score: Score


def load_rgb(source: str | os.PathLike[str] | BinaryIO, *, convert: bool = False) -> Pixels:
    """Upright 8-bit RGB pixels of an image file, without its metadata and alpha.

    ``convert`` as for :meth:`Codec.encode`. Raises :class:`ImageError` or :class:`LimitError`.
    """
    picture = read_picture(
        source, partial(check_pixels, max_pixels=DEFAULT_MAX_PIXELS), convert=convert, strip=True
    )
    return np.ascontiguousarray(picture.samples.expand(3, -1, -1).permute(1, 2, 0).numpy())


def load_exact(source: str | os.PathLike[str] | BinaryIO, *, convert: bool = False) -> Pixels:
    """The same with one channel for grey, and without anything that would be rounded."""
    picture = read_picture(
        source, partial(check_pixels, max_pixels=DEFAULT_MAX_PIXELS), convert=convert, strip=True, exact=True
    )
    if picture.depth > 8:
        raise ImageError(f"the picture has samples of {picture.depth} bits; codecs are compared at 8")
    return np.ascontiguousarray(picture.samples.permute(1, 2, 0).numpy())


def score(original: Pixels, decoded: Pixels, size: int) -> Score:
    """Compare a decoded picture with its original; ``size`` is that of the whole file."""
    height, width = original.shape[:2]
    return Score(size, 8 * size / (width * height), psnr(original, decoded), ms_ssim(original, decoded))


def decode_pixels(codec: Codec, file: bytes) -> Pixels:
    """Decode to H×W×C uint8."""
    return cast(Pixels, codec.decode(file, like="numpy"))


def progressive_pixels(codec: Codec, file: bytes) -> Iterator[Pixels]:
    """Decode to H×W×C uint8, once per code chunk."""
    return cast(Iterator[Pixels], codec.progressive(file, like="numpy"))


def measure(codec: Codec, original: Pixels, iterations: int | None = None) -> Iterator[Step]:
    """Encode once, with all iterations unless told, and score every prefix as a file of its own."""
    data = codec.encode(original, iterations=iterations or codec.iterations)
    for count, pixels in enumerate(progressive_pixels(codec, data), start=1):
        file = recodec.truncate(data, iterations=count)
        yield Step(count, file, pixels, score(original, pixels, len(file)))


class JpegRival:
    """The best JPEG of one picture at any size."""

    def __init__(self, original: Pixels):
        self._original = original
        self._ladder = JpegLadder(Image.fromarray(original))

    def within(self, max_bytes: int) -> tuple[Pixels, Score] | None:
        """Decoded picture and score of the best JPEG in ``max_bytes``; None if there is none that small."""
        file = self._ladder.largest_within(max_bytes)
        if file is None:
            return None
        decoded = load_rgb(io.BytesIO(file))
        return decoded, score(self._original, decoded, len(file))
