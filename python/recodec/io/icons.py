"""Icons, which hold one drawing in several sizes, many as whole PNG or JPEG 2000 files."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import IO, Any

from PIL import Image

FORMATS = ("ICO", "ICNS", "CUR")
_WHOLE_FILES = ("PNG", "JPEG2000")


def file_inside(image: Image.Image, file: IO[bytes]) -> Image.Image | None:
    """The file, not loaded, that the picture of an icon was read from; None where it is not one of its own."""
    # Of Pillow's own classes for such files, which it does not document.
    with suppress(Exception):
        for start, size in _places(image):
            file.seek(start)
            return Image.open(io.BytesIO(file.read(size)), formats=_WHOLE_FILES)
    return None


def _places(image: Any) -> list[tuple[int, int]]:
    """Where in an icon that is open the data of its picture may begin, and how long they are."""
    if image.format == "ICO":
        entry = image.ico.entry[image.ico.getentryindex(image.size)]
        return [(entry.offset, entry.size)]
    if image.format == "ICNS":
        kinds = [kind for kind, _ in image.icns.SIZES[image.best_size]]
        return [image.icns.dct[kind] for kind in kinds if kind in image.icns.dct]
    return []


def sizes_of(image: Image.Image, file: IO[bytes] | None) -> int:
    """In how many sizes an icon has its drawing."""
    if image.format == "CUR" and file is not None:
        file.seek(4)
        return int.from_bytes(file.read(2), "little")
    return len(image.info.get("sizes", ())) or 1
