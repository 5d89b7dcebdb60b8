"""Where a picture ends inside its file, and what stands behind it."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

from PIL import Image

_MOST_CHUNKS = 1 << 16
_BLOCK, _MOST_BYTES = 1 << 20, 1 << 28
# What is no marker inside coded data: a stuffed zero, restarts, fill bytes.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_SCAN, _END = 0xDA, 0xD9
_PADDING = b"\0\xff\r\n "
_SAMSUNG, _SAMSUNG_INDEX = b"SEFT", b"SEFH"
_MOST_PARTS = 32


def bytes_behind(image: Image.Image, file: IO[bytes]) -> int:
    """How many there are behind the picture of an image that is not loaded; 0 for mere padding, or if nothing tells."""
    end = None
    # Damage is for Pillow's reader to name.
    with suppress(Exception):
        if image.format in ("JPEG", "MPO"):
            end = _end_of_jpeg(file)
        elif image.format == "PNG":
            end = next(stop for kind, stop in _chunks(file) if kind == b"IEND")
        elif image.format == "WEBP":
            file.seek(4)
            end = 8 + int.from_bytes(file.read(4), "little")
        elif image.format == "PPM":
            end = _end_of_ppm(image)
    size = file.seek(0, os.SEEK_END)
    if end is None or end >= size:
        return 0
    file.seek(end)
    return size - end if file.read(_BLOCK).strip(_PADDING) else 0


def samsung_parts(file: IO[bytes]) -> list[str]:
    """Names of what Samsung's telephones append, by the index that ends the file."""
    names: list[str] = []
    size = file.seek(0, os.SEEK_END)
    with suppress(struct.error, ValueError, OSError):
        file.seek(size - 8)
        length, mark = struct.unpack("<I4s", file.read(8))
        start = size - 8 - length
        file.seek(start)
        index = file.read(min(length, _BLOCK))
        if mark != _SAMSUNG or index[:4] != _SAMSUNG_INDEX:
            return []
        for at in range(12, min(len(index) - 11, 12 * _MOST_PARTS), 12):
            (back,) = struct.unpack_from("<I", index, at + 4)
            file.seek(start - back + 4)
            (count,) = struct.unpack("<I", file.read(4))
            names.append(file.read(min(count, 64)).decode("latin-1"))
    return names


def kinds_of_png(file: IO[bytes]) -> set[bytes]:
    """Of the chunks of a PNG file."""
    return {kind for kind, _ in _chunks(file)}


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Kinds of the chunks of a PNG file, and where each ends."""
    at = 8
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        at += 12 + int.from_bytes(head[:4])
        yield head[4:], at
        if head[4:] == b"IEND":
            return


def _end_of_jpeg(file: IO[bytes]) -> int | None:
    """Where the first picture ends, from marker to marker."""
    at = 2
    while at < _MOST_BYTES:
        file.seek(at)
        head = file.read(4)
        if len(head) < 2 or head[0] != 0xFF:
            return None
        if head[1] == 0xFF:  # one that fills
            at += 1
            continue
        if head[1] == _END:
            return at + 2
        at += 2 + int.from_bytes(head[2:4])
        if head[1] == _SCAN:
            at = _end_of_scan(file, at)
    return None


def _end_of_scan(file: IO[bytes], at: int) -> int:
    """Where the marker behind coded data is; far away where there is none."""
    file.seek(at)
    while len(block := file.read(_BLOCK)) > 1 and at < _MOST_BYTES:
        if found := _MARKER.search(block):
            return at + found.start()
        # The last byte may begin a marker.
        at += len(block) - 1
        file.seek(at)
    return _MOST_BYTES


def _end_of_ppm(image: Image.Image) -> int | None:
    """Where the raster of a file that is not loaded ends; of plain ones that is not known."""
    tiles: Any = getattr(image, "tile", ())
    for codec, _, start, arguments in tiles:
        if codec in ("raw", "ppm"):
            most = arguments[1] if codec == "ppm" else 255
            row = (image.width + 7) // 8 if image.mode == "1" else image.width * len(image.getbands())
            bytes_each = {"I": 2, "F": 4}.get(image.mode, 1 + (isinstance(most, int) and most > 255))
            return int(start + row * image.height * bytes_each)
    return None
