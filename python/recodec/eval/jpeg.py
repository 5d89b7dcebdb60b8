"""Baseline JPEG with optimised Huffman tables and 4:2:0 chroma, the yardstick of every comparison."""

from __future__ import annotations

import io
from functools import cached_property

from PIL import Image

QUALITIES = range(1, 101)


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """Encode at a libjpeg quality of 1..100, without metadata."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0", optimize=True)
    return buffer.getvalue()


class JpegLadder:
    """One image at every JPEG quality; each is encoded and measured once, when first asked for any."""

    def __init__(self, image: Image.Image):
        self._image = image

    @cached_property
    def _sizes(self) -> list[int]:
        return [len(encode_jpeg(self._image, quality)) for quality in QUALITIES]

    def largest_within(self, max_bytes: int) -> bytes | None:
        """The file of the highest quality that takes at most ``max_bytes``; None if there is none.

        Looks at every size: most pictures grow with quality, but nothing says that all do.
        """
        fitting = [quality for quality, size in zip(QUALITIES, self._sizes, strict=True) if size <= max_bytes]
        return encode_jpeg(self._image, fitting[-1]) if fitting else None
