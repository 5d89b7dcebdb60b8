"""How many bits the samples of an image file have, before Pillow reduces them without a word."""

from __future__ import annotations

import os
import re
import struct
from contextlib import ExitStack, suppress
from typing import IO, Any, BinaryIO

from PIL import Image

from recodec.io.boxes import Items
from recodec.io.directories import INTEGERS, entries_at, order_of

# Raw modes of Pillow's readers for 16-bit samples; plain ";16" is a packed 5-6-5 pixel.
_DEEP_RAW_MODE = re.compile(r";16[BLN]\b")
_BITS_PER_SAMPLE = 258
# SMaxSampleValue, MaxSampleValue.
_LARGEST_SAMPLE = 341, 281
_WHITES = tuple((1 << bits) - 1 for bits in range(9, 16))
_USUAL_BITS = (1, 2, 4, 8, 16, 32, 64)
_DIRECTORY_BYTES = 1 << 16
# Of DDS, the block compression of half floats.
_HALF_FLOATS = 6

# SOC and SIZ markers, with which every JPEG 2000 code stream begins; ISO/IEC 15444-1, A.5.1.
_CODE_STREAM = b"\xff\x4f\xff\x51"
_COMPONENTS_AT = 40
# They stand before the samples, behind an ICC profile at most.
_HEAD_BYTES = 4 << 20
# The third byte of what describes an AV1 stream has flags for 10 or 12 bits, and for 12.
_HIGH_DEPTH, _TWELVE_BITS = 0x40, 0x20


def bits_of(image: Image.Image, file: IO[bytes] | None, parts: Items) -> int:
    """Bits per sample of the file of an unread image, 16 where they are more than 8 and it is not known how many."""
    for codec, _, _, arguments in getattr(image, "tile", ()):
        if codec == "SGI16" or _DEEP_RAW_MODE.search(str(arguments)):
            return 16
        # Pillow's decoders that have one argument are given it by itself.
        first, *others = arguments if isinstance(arguments, tuple) else (arguments,)
        if codec in ("ppm", "ppm_plain") and any(isinstance(most, int) and most > 255 for most in others):
            return 16
        if codec == "bcn" and first == _HALF_FLOATS:
            return 16
    tags: Any = getattr(image, "tag_v2", {})
    told = tags.get(_BITS_PER_SAMPLE, ())
    # Where plugins for HEIF leave it.
    found = [image.info.get("bit_depth"), *(told if isinstance(told, tuple) else ())]
    if image.format == "JPEG2000" and file is not None:
        file.seek(0)
        found += _code_stream_bits(file.read(_HEAD_BYTES))
    for content in parts.get(b"av1C"):
        if len(content) > 2 and content[2] & _HIGH_DEPTH:
            found.append(12 if content[2] & _TWELVE_BITS else 10)
    return max([8, *(bits for bits in found if isinstance(bits, int))])


def odd_tiff_bits(source: str | os.PathLike[str] | BinaryIO) -> int | None:
    """Bits per sample of a TIFF file, if they are no power of two."""
    with suppress(OSError, struct.error), ExitStack() as stack:
        file = stack.enter_context(open(source, "rb")) if isinstance(source, str | os.PathLike) else source
        file.seek(0)
        head = file.read(8)
        if order := order_of(head):
            file.seek(struct.unpack_from(order + "I", head, 4)[0])
            data = file.read(_DIRECTORY_BYTES)
            for entry in entries_at(data, order, 0):
                if entry.tag == _BITS_PER_SAMPLE and entry.kind in INTEGERS:
                    number, at = struct.Struct(order + INTEGERS[entry.kind]), entry.at + 8
                    # More than there is room for in an entry stand elsewhere.
                    if entry.size * number.size > 4:
                        file.seek(struct.unpack_from(order + "I", data, at)[0])
                        data, at = file.read(number.size), 0
                    (bits,) = number.unpack_from(data, at)
                    return int(bits) if bits not in _USUAL_BITS else None
    return None


def white_of(image: Image.Image, bits: int) -> int:
    """The sample of mode I;16 that is white, in a file of so many bits per sample."""
    if not 8 < bits < 16:
        # Of TIFF the largest that there is, or may be: of all numbers only these are those of a depth.
        tags: Any = getattr(image, "tag_v2", {})
        for tag in _LARGEST_SAMPLE:
            most = tags.get(tag)
            most = most[0] if isinstance(most, tuple) and most else most
            if most in _WHITES:
                return int(most)
        return 2**16 - 1
    # Pillow moves samples of JPEG 2000 up, and leaves those of TIFF as they are.
    return (1 << 16) - (1 << 16 - bits) if image.format == "JPEG2000" else (1 << bits) - 1


def _code_stream_bits(head: bytes) -> list[int]:
    start = head.find(_CODE_STREAM)
    if start < 0:
        return []
    first = start + _COMPONENTS_AT + 2
    count = int.from_bytes(head[first - 2 : first])
    # Bits less one, the top bit for signed samples, then two bytes of subsampling.
    return [(depth & 0x7F) + 1 for depth in head[first : first + 3 * count : 3]]
