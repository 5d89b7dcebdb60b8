"""Pictures in a file beside the one that Pillow gives, or in whose place it gives one."""

from __future__ import annotations

import re
import struct
from contextlib import suppress
from typing import IO, Any

from PIL import Image

from recodec.io import icons
from recodec.io.boxes import Items
from recodec.io.directories import INTEGERS, directories, entries_at, order_of

_PICTURES = 0xB001
_REDUCED, _OLD_REDUCED, _WIDTH, _HEIGHT, _PHOTOMETRIC = 254, 255, 256, 257, 262
_SUB_DIRECTORIES, _LAYERS = 330, 37724
# ImageJ writes large stacks behind one directory.
_DESCRIPTION, _STACK = 270, re.compile(r"ImageJ=[^\n]*\nimages=(\d{1,9})\n")
# Samples beside colours, which Pillow leaves out unless they are alpha.
_EXTRA_SAMPLES, _UNSPECIFIED = 338, 0
# Samples of a sensor, before and after they were made RGB.
_RAW = (32803, 34892)
# What follows the header in a CR2 file.
_CANON = b"CR"
_DIRECTORY_BYTES = 1 << 16
# Auxiliary images that are the alpha channel, in AVIF, AVC and HEVC.
_ALPHA = (
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
    b"urn:mpeg:avc:2015:auxid:1",
    b"urn:mpeg:hevc:2015:auxid:1",
)
# What DDS has more surfaces for.
_SURFACES = {0x200: "the other faces of its cube", 0x200000: "the other slices of its volume"}
_CREDENTIALS = b"c2pa"
_GAIN_MAP = b"tmap"
_GAIN_MAP_SEGMENT = b"urn:iso:std:iso:ts:21496:-1\0"
# What XMP promises.
_GAIN_MAP_IN_XMP = b"hdrgm:Version"
# Of Google's containers, in which pictures stand one behind another; of some of them more is known.
_IN_CONTAINER = re.compile(rb"Item:Semantic\s*(?:=\s*[\"']|>)\s*(\w+)")
_ELSEWHERE = {"Primary", "GainMap", "MotionPhoto"}
_VIDEO_IN_XMP = re.compile(rb"Camera:(MotionPhoto|MicroVideo)\s*(=\s*[\"']|>)\s*1")


def preview_of(image: Image.Image, file: IO[bytes] | None) -> str | None:
    """What a file holds that Pillow gives a small version of, as with cameras' raw files; None if it gives the picture.

    Such a file is a TIFF whose first picture says that it is reduced, or has larger ones below it.
    """
    if image.format != "TIFF":
        return None
    tags: Any = getattr(image, "tag_v2", {})
    below = _numbers(tags.get(_SUB_DIRECTORIES))
    reduced = tags.get(_REDUCED, 0)
    is_reduced = (isinstance(reduced, int) and reduced & 1) or tags.get(_OLD_REDUCED) == 2
    if is_reduced and (below or frames_of(image) > 1):
        return "a raw photograph or another larger picture"
    if file is not None:
        file.seek(0)
        head = file.read(10)
        order = order_of(head)
        if head[8:] == _CANON:
            return "a raw photograph"
        if order and any(_is_whole(file, order, place, image) for place in below if place > 0):
            return "a raw photograph or another larger picture"
    return None


def _numbers(value: Any) -> list[int]:
    """The whole numbers of a tag, of which Pillow gives one by itself."""
    return [number for number in (value if isinstance(value, tuple) else (value,)) if isinstance(number, int)]


def _is_whole(file: IO[bytes], order: str, place: int, image: Image.Image) -> bool:
    """Whether a directory is of a sensor's samples, or of a picture larger than ``image``."""
    file.seek(place)
    data = file.read(_DIRECTORY_BYTES)
    found = {}
    for entry in entries_at(data, order, 0):
        if entry.tag in (_WIDTH, _HEIGHT, _PHOTOMETRIC) and entry.size == 1 and entry.kind in INTEGERS:
            (found[entry.tag],) = struct.unpack_from(order + INTEGERS[entry.kind], data, entry.at + 8)
    size = found.get(_WIDTH, 0), found.get(_HEIGHT, 0)
    return found.get(_PHOTOMETRIC) in _RAW or max(size) > max(image.size)


def beside(image: Image.Image, file: IO[bytes] | None) -> list[str]:
    """What is to be said of what else a file of an image that is not loaded holds, beside what its XMP tells."""
    said = []
    # Damage is for Pillow's reader to name.
    with suppress(Exception):
        if image.format in icons.FORMATS and (count := icons.sizes_of(image, file) - 1) > 0:
            said.append(f"further sizes of the icon ({count}) are not in the file")
        elif image.format == "PCD":
            said.append("larger versions, of which Pillow reads none, are not in the file")
        elif image.format == "DDS" and file is not None:
            said += [f"{what} are not in the file" for flag, what in _SURFACES.items() if _caps(file) & flag]
        elif image.format == "BMP" and file is not None:
            said += _colours_of_bmp(file)
        elif image.format == "PSD" and file is not None:
            file.seek(12)
            if int.from_bytes(file.read(2)) > len(image.getbands()):
                said.append("a further channel, such as a mask or a spot colour, is not in the file")
    segments: Any = [*getattr(image, "applist", ()), *getattr(image, "private_chunks", ())]
    if any(_CREDENTIALS in content for name, content, *_ in segments if name in ("APP11", b"caBX")):
        said.append("its content credentials (C2PA) are not in the file")
    return said


def _colours_of_bmp(file: IO[bytes]) -> list[str]:
    file.seek(14)
    header = file.read(108)
    if int.from_bytes(header[:4], "little") < 108:
        return []
    if header[56:60] == b"KNIL":
        return ["its ICC profile is in another file, and is not in this one"]
    # Endpoints and curves of its own; programs write zeros where there are none.
    if not any(header[56:60]) and any(header[60:]):
        return ["colours are those of a calibration in the bitmap: they will be taken for sRGB"]
    return []


def _caps(file: IO[bytes]) -> int:
    file.seek(112)
    return int.from_bytes(file.read(4), "little")


def further_pictures(image: Image.Image, xmp: bytes, items: Items) -> list[str]:
    """What is to be said of pictures, and the like, that are not in the file."""
    said = []
    pages = frames_of(image) if image.format == "MPO" else 1
    count = max(pages, _in_index(image.info.get("mp"))) - 1
    if count > 1:
        said.append(f"{count} further pictures, previews, second views or gain maps, are not in the file")
    elif count == 1:
        said.append("1 further picture, a preview, a second view or a gain map, is not in the file")
    elif _GAIN_MAP_IN_XMP in xmp or _GAIN_MAP in items.kinds or _has_gain_map_segment(image):
        said.append("the gain map, which makes it HDR, is not in the file")
    if auxiliary := _auxiliary(image, items):
        said.append(f"auxiliary pictures ({', '.join(sorted(auxiliary))}) are not in the file")
    if kinds := sorted({kind.decode() for kind in _IN_CONTAINER.findall(xmp)} - _ELSEWHERE):
        said.append(f"pictures that its XMP lists ({', '.join(kinds)}) are not in the file")
    if _VIDEO_IN_XMP.search(xmp):
        said.append("the video of this motion photo is not in the file")
    tags: Any = getattr(image, "tag_v2", {})
    if _UNSPECIFIED in _numbers(tags.get(_EXTRA_SAMPLES)):
        said.append("a further channel, such as infrared, is not in the file")
    stack = _STACK.match(str(tags.get(_DESCRIPTION, "")))
    if stack and int(stack[1]) > 1:
        said.append(f"{int(stack[1]) - 1} further pictures of an ImageJ stack are not in the file")
    if _LAYERS in tags:
        said.append("its layers are not in the file")
    return said


def _in_index(index: Any) -> int:
    """How many pictures an index of JPEG's (CIPA DC-007) lists."""
    order = order_of(index) if isinstance(index, bytes) else None
    for directory in directories(index, order, 1) if order else ():
        for entry in directory.entries:
            if entry.tag == _PICTURES and entry.size == 1 and entry.kind in INTEGERS:
                (count,) = struct.unpack_from(f"{order}{INTEGERS[entry.kind]}", index, entry.at + 8)
                return int(count)
    return 0


def _has_gain_map_segment(image: Image.Image) -> bool:
    segments: Any = getattr(image, "applist", ())
    return any(name == "APP2" and content.startswith(_GAIN_MAP_SEGMENT) for name, content in segments)


def _auxiliary(image: Image.Image, items: Items) -> set[str]:
    """Kinds of auxiliary pictures but alpha, from the file or from what a plugin for HEIF tells."""
    names = {content[4:].split(b"\0")[0] for content in items.all_properties.get(b"auxC", ())} - set(_ALPHA)
    found = {name.decode(errors="replace") for name in names}
    if isinstance(told := image.info.get("aux"), dict):
        found |= {str(name) for name in told}
    return found | ({"depth"} if image.info.get("depth_images") and not found else set())


def frames_of(image: Image.Image) -> int:
    """How many pictures a file holds; one where it was closed since, or the others cannot be read."""
    try:
        return int(getattr(image, "n_frames", 1))
    # Pillow's readers raise anything for damaged directories.
    except Exception:  # noqa: BLE001
        return 1
