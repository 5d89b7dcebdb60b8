"""Pictures for the tests of images."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray


def deep_png(samples: NDArray[np.uint16], *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG file of 16 bits per sample, H×W×C with C from 1 to 4."""
    height, width, channels = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)),
        *extra,
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data


def with_chunks(png: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG file with more chunks, behind its header."""
    at = 8 + 25
    added = b"".join(
        struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in extra
    )
    return png[:at] + added + png[at:]
