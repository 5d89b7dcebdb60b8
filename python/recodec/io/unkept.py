"""What a picture's file holds that an encoded one has no place for: segments, chunks, boxes, texts, data behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import IO, Any

from PIL import Image

from recodec.io.boxes import boxes
from recodec.io.file_ends import kinds_of_png

_MOST_NAMES = 8
# Of JPEG, what is understood elsewhere or says how it was coded, by what it begins with.
_SEGMENTS = {
    "APP0": (b"JFIF\0", b"JFXX\0"),
    "APP1": (b"Exif\0", b"http://ns.adobe.com/"),
    "APP2": (b"ICC_PROFILE\0", b"MPF\0", b"urn:iso:std:iso:ts:21496:-1\0"),
    "APP12": (b"Ducky",),
    "APP13": (b"Photoshop 3.0\0",),
    "APP14": (b"Adobe",),
}
_CREDENTIALS = b"c2pa"
# Of PNG, what is understood elsewhere, or says how the picture was coded, made or is to be shown on a page.
_CHUNKS = frozenset(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI tEXt zTXt iTXt bKGD hIST pHYs sPLT tIME eXIf "
    b"acTL fcTL fdAT caBX iDOT vpAg caNv orNT".split()
)
# Of JPEG 2000; those of uuid are asked for by their number.
_BOXES = frozenset((b"jP  ", b"ftyp", b"jp2h", b"jp2c", b"uuid", b"free", b"skip", b"rreq"))
# What programs write of themselves into any file.
_OF_PROGRAMS = re.compile(r"Created (by|with) (OpenJPEG|GIMP|The GIMP)|CREATOR: gd-jpeg|Lavc\d|Kakadu-")
_KEYS_OF_PROGRAMS = re.compile(r"Software$|date:|XML:com\.adobe\.xmp$|Raw profile type ")
# Resources of Photoshop that are paths, clipping paths among them.
_PATHS = range(2000, 2998)


def unkept(image: Image.Image, file: IO[bytes] | None, uuids: Iterable[bytes] = ()) -> list[str]:
    """Metadata of an image's file that are left out, but for texts; JPEG 2000's ``uuids`` are those understood."""
    said = []
    if names := in_one_line(_segments(image)):
        said.append(f"segments of JPEG ({names}) are not in the file")
    # Damage is for Pillow's reader to name.
    with suppress(Exception):
        names, kind = "", ""
        if image.format == "PNG" and file is not None:
            kind = "chunks of PNG"
            names = in_one_line(chunk.decode("latin-1") for chunk in kinds_of_png(file) - _CHUNKS)
        elif image.format == "JPEG2000" and file is not None:
            kind, names = "boxes of JPEG 2000", in_one_line(_further_boxes(file, frozenset(uuids)))
        if names:
            said.append(f"{kind} ({names}) are not in the file")
    resources: Any = image.info.get("photoshop") or [one[0] for one in getattr(image, "resources", ())]
    if any(number in _PATHS for number in resources):
        said.append("its paths are not in the file")
    return said


def texts_left_out(image: Image.Image) -> list[str]:
    """What is to be said of comments and texts of an image that is loaded, as some stand behind the pixels."""
    said, info = [], image.info
    for key in ("comment", "id_section"):
        text = info.get(key)
        text = text.decode("latin-1") if isinstance(text, bytes) else text
        if image.format and isinstance(text, str) and text.strip("\0 ") and not _OF_PROGRAMS.match(text):
            said.append("its comment is not in the file")
    if image.format == "PNG" and (names := in_one_line(_texts_of_png(info))):
        said.append(f"texts ({names}) are not in the file")
    return said


def in_one_line(names: Iterable[str]) -> str:
    """Each once, and no more than anybody reads."""
    found = sorted(set(names))
    return ", ".join(found[:_MOST_NAMES] + ["others"] * (len(found) > _MOST_NAMES))


def _segments(image: Image.Image) -> Iterator[str]:
    segments: Any = getattr(image, "applist", ())
    for name, content in segments:
        known = content.startswith(_SEGMENTS.get(name, ())) or (name == "APP11" and _CREDENTIALS in content)
        if name.startswith("APP") and not known:
            own = re.match(rb"[\x20-\x7e]{3,24}", content)
            yield f"{name} {own[0].decode().strip()}" if own else name


def _texts_of_png(info: Mapping[Any, Any]) -> Iterator[str]:
    for key, text in info.items():
        if not (isinstance(key, str) and isinstance(text, str)) or _KEYS_OF_PROGRAMS.match(key):
            continue
        if text.strip() and not _OF_PROGRAMS.match(text):
            yield key


def _further_boxes(file: IO[bytes], uuids: frozenset[bytes]) -> Iterator[str]:
    for box in boxes(file):
        if box.kind not in _BOXES or (box.kind == b"uuid" and box.read(file)[:16] not in uuids):
            yield box.kind.decode("latin-1").strip()
