"""The orientation inside blocks of metadata, set to upright in place: all other bytes stay as they are.

A picture is stored upright, so an orientation that stays would turn it twice. Whatever else a block holds, maker notes
with offsets of their own, text in any encoding, tags of the wrong type, is passed on as it was.
"""

from __future__ import annotations

import re
import struct
from contextlib import suppress

from PIL import Image

from recodec.io.directories import INTEGERS, directories, order_of

TAG = 0x0112
_UPRIGHT = 1
# The picture's directory, and its thumbnail's.
_MAX_DIRECTORIES = 2
_NAME = "tiff:Orientation"
_WIDE = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
# As an attribute in either quote, or as an element, which may have attributes of its own.
_IN_XMP = re.compile(r"""(tiff:Orientation(?:\s*=\s*["']|(?:\s[^<>]*)?>)\s*)([1-8])(?=\s*(?:["']|</))""")
# Of these Pillow's readers have turned the pixels by what the container says, or give it as EXIF.
_TURNED_BY_READER = ("TIFF", "AVIF", "HEIF")

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def tags_of(image: Image.Image) -> Image.Exif:
    """The caller's EXIF tags, not to be changed; none where Pillow cannot read any."""
    # For damaged data Pillow raises almost anything.
    with suppress(Exception):
        return image.getexif()
    return Image.Exif()


def turn_of(image: Image.Image, exif: bytes | None, xmp: bytes | None) -> Image.Transpose | None:
    """How a picture has to be turned, as its EXIF says or, without one there, its ``xmp``; None if it is upright.

    ``exif`` are to be asked instead of the tags that Pillow has of the image.
    """
    tags = Image.Exif() if exif else tags_of(image)
    if exif:
        with suppress(Exception):
            tags.load(exif)
    orientation = tags.get(TAG)
    # Pillow itself reads one form of it, in an image's own.
    if orientation is None and image.format not in _TURNED_BY_READER:
        found = _IN_XMP.search(_text(xmp or b"")[0])
        orientation = int(found[2]) if found else None
    return _TURNS.get(orientation) if isinstance(orientation, int) else None


def upright_exif(exif: bytes) -> bytes | None:
    """EXIF data, from their TIFF header on, with every orientation set to 1; None if they are no such thing."""
    order = order_of(exif)
    if order is None:
        return None
    found = bytearray(exif)
    for directory in directories(exif, order, _MAX_DIRECTORIES):
        for entry in directory.entries:
            # What other types hold turns no picture.
            if entry.tag == TAG and entry.size == 1 and entry.kind in INTEGERS:
                struct.pack_into(order + INTEGERS[entry.kind], found, entry.at + 8, _UPRIGHT)
    return bytes(found)


def upright_xmp(xmp: bytes) -> bytes:
    """XMP with every ``tiff:Orientation`` set to 1."""
    text, encoding = _text(xmp)
    upright = _IN_XMP.sub(lambda match: f"{match[1]}{_UPRIGHT}", text)
    # Equal characters take equal bytes, whatever was left over at the end.
    data = upright.encode(encoding, "surrogatepass")
    return data + xmp[len(data) :]


def _text(xmp: bytes) -> tuple[str, str]:
    """XMP as text that encodes to the same bytes, up to a part of a character at its end; and in what."""
    for encoding, unit in _WIDE.items():
        whole = xmp[: len(xmp) // unit * unit]
        # Damaged or not in this encoding.
        with suppress(UnicodeDecodeError):
            if _NAME in (text := whole.decode(encoding, "surrogatepass")):
                return text, encoding
    # One of single bytes, which UTF-8 survives.
    return xmp.decode("latin-1"), "latin-1"
