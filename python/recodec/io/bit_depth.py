"""Which image files have more than 8 bits per sample, before Pillow reduces them without a word."""

from __future__ import annotations

import contextlib
import re
from typing import IO

from PIL import Image

# Raw modes of Pillow's readers for 16-bit samples; plain ";16" is a packed 5-6-5 pixel.
_DEEP_RAW_MODE = re.compile(r";16[BLN]\b")

# SOC and SIZ markers, with which every JPEG 2000 code stream begins; ISO/IEC 15444-1, A.5.1.
_CODE_STREAM = b"\xff\x4f\xff\x51"
_COMPONENTS_AT = 40
# The box that describes an AV1 stream; its third byte has a flag for 10 and 12 bits.
_AV1_CONFIGURATION = b"av1C"
_HIGH_DEPTH = 0x40

# Both stand before the samples, behind an ICC profile at most.
_HEAD_BYTES = 4 << 20


def is_deep(image: Image.Image) -> bool:
    """Whether an image comes from a file whose samples have more than 8 bits.

    Of an image that is loaded only the name of its file tells; of a copy, or of one that was read from
    memory, nothing does.
    """
    name = getattr(image, "filename", "")
    if name and not getattr(image, "tile", ()):
        # Gone, unreadable or by now another picture: then it is taken for what it is in memory.
        with contextlib.suppress(Exception), Image.open(name) as again:
            return (again.format, again.size) == (image.format, image.size) and _is_deep_unread(again)
    return _is_deep_unread(image)


def _is_deep_unread(image: Image.Image) -> bool:
    for codec, _, _, arguments in getattr(image, "tile", ()):
        if codec == "ppm" and arguments[1] > 255:
            return True
        if codec == "SGI16" or _DEEP_RAW_MODE.search(str(arguments)):
            return True
    # Where plugins for HEIF leave it.
    if isinstance(depth := image.info.get("bit_depth"), int) and depth > 8:
        return True
    file: IO[bytes] | None = getattr(image, "fp", None)
    if file is None or image.format not in ("JPEG2000", "AVIF"):
        return False
    position = file.tell()
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    file.seek(position)
    return _deep_code_stream(head) if image.format == "JPEG2000" else _deep_av1(head)


def _deep_code_stream(head: bytes) -> bool:
    start = head.find(_CODE_STREAM)
    if start < 0:
        return False
    first = start + _COMPONENTS_AT + 2
    count = int.from_bytes(head[first - 2 : first])
    # Bits less one, the top bit for signed samples, then two bytes of subsampling.
    return any((depth & 0x7F) > 7 for depth in head[first : first + 3 * count : 3])


def _deep_av1(head: bytes) -> bool:
    start = head.find(_AV1_CONFIGURATION)
    return start >= 0 and bool(head[start + 6 : start + 7] and head[start + 6] & _HIGH_DEPTH)
