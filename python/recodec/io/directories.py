"""Image file directories of TIFF, which EXIF and JPEG's index of further pictures are made of."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

ENTRY_BYTES = 12
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
SHORT, LONG, RATIONAL = 3, 4, 5
# Of SHORT, LONG and their signed kin.
INTEGERS = {SHORT: "H", LONG: "I", 8: "h", 9: "i"}


class Entry(NamedTuple):
    """A tag: the type and number (``size``) of its values, and where its entry begins."""

    tag: int
    kind: int
    size: int
    at: int


class Directory(NamedTuple):
    """Tags of one picture; ``next`` is where the next one's begin, None where the data end before it says so."""

    entries: list[Entry]
    next: int | None


def order_of(data: bytes) -> str | None:
    """The byte order, for :mod:`struct`, of data that begin with a TIFF header; None if they do not."""
    return _ORDERS.get(data[:4]) if len(data) >= 8 else None


def entries_at(data: bytes, order: str, at: int) -> list[Entry]:
    """The tags of the directory there, as far as the data go."""
    if at > len(data) - 2:
        return []
    (count,) = struct.unpack_from(order + "H", data, at)
    end = min(at + 2 + ENTRY_BYTES * count, len(data))
    places = range(at + 2, end - ENTRY_BYTES + 1, ENTRY_BYTES)
    found = []
    for place in places:
        tag, kind, size = struct.unpack_from(order + "HHI", data, place)
        found.append(Entry(tag, kind, size, place))
    return found


def directories(data: bytes, order: str, most: int) -> Iterator[Directory]:
    """The chain of directories from the header on."""
    (at,) = struct.unpack_from(order + "I", data, 4)
    for _ in range(most):
        if not 8 <= at <= len(data) - 2:
            return
        entries = entries_at(data, order, at)
        (count,) = struct.unpack_from(order + "H", data, at)
        end = at + 2 + ENTRY_BYTES * count
        if end > len(data) - 4:
            yield Directory(entries, None)
            return
        (at,) = struct.unpack_from(order + "I", data, end)
        yield Directory(entries, at)
