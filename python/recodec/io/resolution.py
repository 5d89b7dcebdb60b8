"""Pixels per inch, which formats keep in places of their own, on their way into EXIF."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from PIL import Image

from recodec.errors import ImageError
from recodec.io.directories import ENTRY_BYTES, RATIONAL, SHORT, Entry, directories, order_of

_TAGS = _X, _Y, _UNIT = 0x011A, 0x011B, 0x0128
_RATIO, _INCH, _CENTIMETRE = 1, 2, 3
# What programs write where nobody said anything: one, or that of screens.
_USUAL, _SAME = (1, 72, 96), 0.5
# PNG's whole pixels per metre are multiples of 127 / 5000 per inch, JPEG's per centimetre of 127 / 50.
_DENOMINATOR = 5000
_LARGEST = 2**32 - 1
_SIDEWAYS = (
    Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_90, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_270,
)  # fmt: skip


class Resolution(NamedTuple):
    """Horizontal and vertical density in EXIF's units: 1 for a mere ratio, 2 per inch, 3 per centimetre."""

    x: float
    y: float
    unit: int

    def __str__(self) -> str:
        unit = {_INCH: " dpi", _CENTIMETRE: " per cm"}.get(self.unit, " (ratio)")
        return f"{self.x:g} x {self.y:g}{unit}"


def resolution_of(
    info: Mapping[Any, Any], turn: Image.Transpose | None, asked: tuple[float, float] | None = None
) -> Resolution | None:
    """The resolution of a picture after a ``turn``, from Pillow's ``info``; None if it says nothing.

    1, 72 and 96 dpi are what is written by default, and a ratio of 1 is that of any picture. What is ``asked`` for, in
    dpi, counts instead, whatever it is.
    """
    dpi, ratio = _pair(info.get("dpi")), _ratio(info)
    if asked is not None:
        found = Resolution(*asked, _INCH)
    elif dpi is not None and not any(
        max(abs(dpi[0] - usual), abs(dpi[1] - usual)) <= _SAME for usual in _USUAL
    ):
        found = Resolution(*dpi, _INCH)
    elif ratio is not None and ratio[0] != ratio[1]:
        found = Resolution(*ratio, _RATIO)
    else:
        return None
    return Resolution(found.y, found.x, found.unit) if turn in _SIDEWAYS else found


def asked_dpi(value: Any) -> tuple[float, float] | None:
    """An argument in dpi; None for none, and for the zeros by which some say so. Raises :class:`ImageError`."""
    pair = _pair(value)
    if pair is None and value is not None and value != (0, 0):
        raise ImageError(
            f"dpi is {value!r}; give two positive numbers, those of horizontal and vertical pixels per inch"
        )
    return pair


def _ratio(info: Mapping[Any, Any]) -> tuple[float, float] | None:
    """The densities of pixels that are not square, from JPEG, PNG or HEIF."""
    if info.get("jfif_unit") == 0:
        return _pair(info.get("jfif_density"))
    # Of HEIF it is the pixel's width and height.
    sides = _pair(info.get("pixel_aspect_ratio"))
    return _pair(info.get("aspect")) if sides is None else (sides[1], sides[0])


def _pair(value: Any) -> tuple[float, float] | None:
    """Two positive numbers, if it is that."""
    if not (isinstance(value, tuple | list) and len(value) == 2):
        return None
    try:
        x, y = (float(number) for number in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x <= _LARGEST and 0 < y <= _LARGEST else None


def with_resolution(
    exif: bytes | None, found: Resolution, *, instead: bool = False
) -> tuple[bytes | None, list[str]]:
    """EXIF with a resolution, and what is to be said of it.

    Where there is one already it stays, unless this one counts ``instead``. Otherwise the first directory is written
    once more, behind all else, so that whatever the data point to is where it was.
    """
    if exif is None:
        return _appended(struct.pack("<4sI", b"II*\0", 8), "<", b"", 0, found), []
    order = order_of(exif)
    first = next(directories(exif, order, 1), None) if order else None
    if order is None or first is None or first.next is None:
        return exif, [f"the resolution, {found}, is not in the file, as nothing can be added to its EXIF"]
    tags = {entry.tag: entry for entry in first.entries}
    if not instead and (_X in tags or _Y in tags):
        there = _read(exif, order, tags)
        if there is None or _same(there, found):
            return exif, []
        return exif, [f"the resolution, {found}, is not in the file, whose EXIF says {there}"]
    kept = b"".join(
        exif[entry.at : entry.at + ENTRY_BYTES] for entry in first.entries if entry.tag not in _TAGS
    )
    return _appended(exif + bytes(len(exif) % 2), order, kept, first.next, found), []


def _appended(exif: bytes, order: str, kept: bytes, following: int, found: Resolution) -> bytes:
    """Data with a new first directory at their end: entries that there were, a resolution and its values."""
    start = len(exif)
    values = start + 2 + len(kept) + 3 * ENTRY_BYTES + 4
    entries = [kept[at : at + ENTRY_BYTES] for at in range(0, len(kept), ENTRY_BYTES)]
    entries += [
        struct.pack(order + "HHII", _X, RATIONAL, 1, values),
        struct.pack(order + "HHII", _Y, RATIONAL, 1, values + 8),
        struct.pack(order + "HHIHH", _UNIT, SHORT, 1, found.unit, 0),
    ]
    entries.sort(key=lambda entry: struct.unpack_from(order + "H", entry))
    return b"".join(
        [
            exif[:4],
            struct.pack(order + "I", start),
            exif[8:],
            struct.pack(order + "H", len(entries)),
            *entries,
            struct.pack(order + "I", following),
            *(struct.pack(order + "II", *_rational(value)) for value in found[:2]),
        ]
    )


def _rational(value: float) -> tuple[int, int]:
    exact = Fraction(value).limit_denominator(max(1, min(_DENOMINATOR, int(_LARGEST // math.ceil(value)))))
    return exact.numerator, exact.denominator


def _read(exif: bytes, order: str, tags: Mapping[int, Entry]) -> Resolution | None:
    """The resolution that EXIF has, if it can be read."""
    values = []
    for tag in (_X, _Y):
        if tag not in tags or tags[tag].kind != RATIONAL:
            return None
        (at,) = struct.unpack_from(order + "I", exif, tags[tag].at + 8)
        if at + 8 > len(exif):
            return None
        above, below = struct.unpack_from(order + "II", exif, at)
        if not above or not below:
            return None
        values.append(above / below)
    unit = _INCH
    if _UNIT in tags and tags[_UNIT].kind == SHORT:
        (unit,) = struct.unpack_from(order + "H", exif, tags[_UNIT].at + 8)
    return Resolution(values[0], values[1], unit)


def _same(there: Resolution, found: Resolution) -> bool:
    """Whether two say the same, but for rounding to whole numbers."""
    if found.unit == _RATIO:
        return math.isclose(there.x / there.y, found.x / found.y, rel_tol=0.01)
    scale = {_INCH: 1.0, _CENTIMETRE: 2.54}.get(there.unit, 0.0)
    return all(abs(a * scale - b) <= 1 for a, b in zip(there[:2], found[:2], strict=True))
