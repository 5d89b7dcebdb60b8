"""Baseline JPEG with optimised Huffman tables, with 4:2:0 chroma the yardstick of every comparison."""

from __future__ import annotations

import io
from functools import cached_property

from PIL import Image

QUALITIES = range(1, 101)


def encode_jpeg(image: Image.Image, quality: int, subsampling: str = "4:2:0") -> bytes:
    """Encode at a libjpeg quality of 1..100, without metadata."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=subsampling, optimize=True)
    return buffer.getvalue()


class JpegLadder:
    """One image at every JPEG quality; each is encoded and measured once, when first asked for any."""

    def __init__(self, image: Image.Image, subsampling: str = "4:2:0"):
        self._image, self._subsampling = image, subsampling

    @cached_property
    def _sizes(self) -> list[int]:
        return [len(self._encoded(quality)) for quality in QUALITIES]

    def largest_within(self, max_bytes: int) -> bytes | None:
        """The file of the highest quality that takes at most ``max_bytes``; None if there is none.

        Looks at every size: most pictures grow with quality, but nothing says that all do.
        """
        fitting = [quality for quality, size in zip(QUALITIES, self._sizes, strict=True) if size <= max_bytes]
        return self._encoded(fitting[-1]) if fitting else None

    def _encoded(self, quality: int) -> bytes:
        return encode_jpeg(self._image, quality, self._subsampling)
