"""Baseline JPEG with optimised Huffman tables and 4:2:0 chroma, the yardstick of every comparison."""

from __future__ import annotations

import io

from PIL import Image

MAX_QUALITY = 100


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """Encode at a libjpeg quality of 1..100, without metadata."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0", optimize=True)
    return buffer.getvalue()


class JpegLadder:
    """One image at every JPEG quality, each encoded at most once and only when asked for."""

    def __init__(self, image: Image.Image):
        self._image = image
        self._encoded: dict[int, bytes] = {}

    def at(self, quality: int) -> bytes:
        """The file at a quality of 1..100."""
        if quality not in self._encoded:
            self._encoded[quality] = encode_jpeg(self._image, quality)
        return self._encoded[quality]

    def largest_within(self, max_bytes: int) -> bytes | None:
        """The file of the highest quality that takes at most ``max_bytes``; None if even quality 1 does not.

        Bisection: size grows with quality, as libjpeg's quantiser steps only ever shrink.
        """
        low, high = 0, MAX_QUALITY
        while low < high:
            middle = (low + high + 1) // 2
            if len(self.at(middle)) <= max_bytes:
                low = middle
            else:
                high = middle - 1
        return self.at(low) if low else None


def largest_jpeg_within(image: Image.Image, max_bytes: int) -> bytes | None:
    """The best JPEG of ``image`` in at most ``max_bytes``; None if even quality 1 takes more."""
    return JpegLadder(image).largest_within(max_bytes)
