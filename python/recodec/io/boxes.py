"""The boxes of HEIF, AVIF and JPEG 2000 files (ISO/IEC 14496-12, 23008-12 and 15444-1)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

# Of what is in them, headers and properties are small, profiles the largest.
_MAX_CONTENT = 16 << 20
_MAX_BOXES = 1 << 14
_FULL_BOX = 4


@dataclass(frozen=True, slots=True)
class Box:
    """Type of a box, and where in the file its content is."""

    kind: bytes
    start: int
    end: int

    def read(self, file: IO[bytes]) -> bytes:
        """Its content, or as much of it as is looked at."""
        file.seek(self.start)
        return file.read(min(self.end - self.start, _MAX_CONTENT))


def boxes(file: IO[bytes], start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes in a part of a file, up to the first that is damaged."""
    if end is None:
        end = file.seek(0, os.SEEK_END)
    for _ in range(_MAX_BOXES):
        file.seek(start)
        head = file.read(16)
        if start >= end or len(head) < 8:
            return
        size, kind, header = int.from_bytes(head[:4]), head[4:8], 8
        if size == 1:
            size, header = int.from_bytes(head[8:16]), 16
        stop = end if size == 0 else start + size
        if not start + header <= stop <= end:
            return
        yield Box(kind, start + header, stop)
        start = stop


@dataclass(frozen=True, slots=True)
class Items:
    """What a HEIF or AVIF file says of its picture: properties by type, and what else is in it."""

    properties: dict[bytes, list[bytes]] = field(default_factory=dict)
    all_properties: dict[bytes, list[bytes]] = field(default_factory=dict)
    kinds: tuple[bytes, ...] = ()
    exif: bytes | None = None

    def get(self, kind: bytes) -> list[bytes]:
        """Properties of the picture or, where it has none of a type, as pictures of several parts, of any part."""
        return self.properties.get(kind) or self.all_properties.get(kind, [])


def items(file: IO[bytes]) -> Items:
    """The items of a HEIF or AVIF file; what is damaged is left out."""
    found = Items()
    with suppress(struct.error, IndexError):
        meta = next((box for box in boxes(file) if box.kind == b"meta"), None)
        if meta is not None:
            found = _items({box.kind: box for box in boxes(file, meta.start + _FULL_BOX, meta.end)}, file)
    return found


def _items(meta: dict[bytes, Box], file: IO[bytes]) -> Items:
    kinds = {}
    if (entries := meta.get(b"iinf")) is not None:
        count = 2 if entries.read(file)[:1] == b"\0" else 4
        for entry in boxes(file, entries.start + _FULL_BOX + count, entries.end):
            content = entry.read(file)
            # Number, protection and type; versions before 2 have no types.
            size = {2: 2, 3: 4}.get(content[0])
            if size:
                number = int.from_bytes(content[_FULL_BOX : _FULL_BOX + size])
                kinds[number] = content[_FULL_BOX + size + 2 :][:4]
    exif = None
    for number in (number for number, kind in kinds.items() if kind == b"Exif" and b"iloc" in meta):
        place = _places(meta[b"iloc"].read(file)).get(number)
        block = b"" if place is None else Box(b"Exif", *place).read(file)
        # What stands before their TIFF header, and how much that is.
        exif = block[4 + int.from_bytes(block[:4]) :] or None
    inside = (
        {box.kind: box for box in boxes(file, meta[b"iprp"].start, meta[b"iprp"].end)}
        if b"iprp" in meta
        else {}
    )
    if b"ipco" not in inside:
        return Items(kinds=tuple(kinds.values()), exif=exif)
    listed = [(box.kind, box.read(file)) for box in boxes(file, inside[b"ipco"].start, inside[b"ipco"].end)]
    own: list[int] = []
    if b"pitm" in meta and b"ipma" in inside:
        primary = int.from_bytes(meta[b"pitm"].read(file)[_FULL_BOX:])
        own = _associations(inside[b"ipma"].read(file)).get(primary, [])
    chosen = [listed[index - 1] for index in own if 0 < index <= len(listed)]
    return Items(_by_kind(chosen), _by_kind(listed), tuple(kinds.values()), exif)


def _associations(content: bytes) -> dict[int, list[int]]:
    """Numbers of properties by item, from an ipma box."""
    found: dict[int, list[int]] = {}
    item, wide = ">I" if content[0] else ">H", content[3] & 1
    (count,), at = struct.unpack_from(">I", content, _FULL_BOX), _FULL_BOX + 4
    for _ in range(min(count, _MAX_BOXES)):
        (number,) = struct.unpack_from(item, content, at)
        at += struct.calcsize(item)
        size = content[at]
        indices = struct.unpack_from(f">{size}{'H' if wide else 'B'}", content, at + 1)
        at += 1 + size * (1 + wide)
        # The top bit says whether a property is essential.
        found.setdefault(number, []).extend(index & (0x7FFF if wide else 0x7F) for index in indices)
    return found


def _places(content: bytes) -> dict[int, tuple[int, int]]:
    """Start and end in the file of items of one piece, from an iloc box."""
    found: dict[int, tuple[int, int]] = {}
    version, at = content[0], _FULL_BOX
    offset_size, length_size, base_size = content[at] >> 4, content[at] & 15, content[at + 1] >> 4
    index_size = content[at + 1] & 15 if version else 0

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(content):
            raise IndexError
        return int.from_bytes(content[at - size : at])

    at += 2
    for _ in range(min(number(4 if version == 2 else 2), _MAX_BOXES)):
        item = number(4 if version == 2 else 2)
        elsewhere = number(2) & 15 if version else 0
        number(2)
        base, extents = number(base_size), number(2)
        for _ in range(extents):
            number(index_size)
            start, length = base + number(offset_size), number(length_size)
            if extents == 1 and not elsewhere:
                found[item] = start, start + length
    return found


def _by_kind(listed: list[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for kind, content in listed:
        found.setdefault(kind, []).append(content)
    return found
